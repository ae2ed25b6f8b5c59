"""The loop's whole tape of calls against one written out by hand; and the actor."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from launch.errors import NotFinite
from launch.roles.actor import Actor, Loop
from launch.runs.logs import Episode

FIRST, MID, LAST = 0, 1, 2


def act(params, key, observation, actor_steps, evaluation):
    """Actions that encode the arguments of the policy."""
    return observation + 1_000 * actor_steps + 1_000_000 * params["q"], ()


class Recording:
    """An adder that records its calls."""

    def __init__(self, tape):
        self._tape = tape

    def observe_first(self, timestep):
        self._tape.append(("observe_first", timestep.observation.tolist()))

    def observe(self, actions, timestep, extras):
        assert extras == ()
        columns = (timestep.step_type, timestep.reward, timestep.observation)
        self._tape.append(
            ("observe", actions.tolist(), *(column.tolist() for column in columns))
        )


@pytest.fixture
def tape():
    return []


@pytest.fixture
def environment(scripted, tape):
    """Two lanes: episodes of 2 and of 3 decisions."""
    return scripted([[[3.0, -5.0]], [[0.5, 0.25, 9.0]]], tape)


def test_tape_of_the_loop(environment, tape):
    version = iter(range(10))
    actor = Actor(
        act,
        lambda: {"q": np.int32(next(version))},
        seed=0,
        adder=Recording(tape),
        reward_clip=environment.reward_clip,
    )
    loop = Loop(environment, actor)
    counts = []
    for _ in range(6):
        tape.append(("ended", *loop.step()))
        counts.append((loop.actor_steps, actor.actor_steps, loop.frames))
    assert tape == [
        ("reset",),
        ("observe_first", [0, 100]),
        ("step", [0, 100]),
        ("observe", [0, 100], [MID, MID], [1.0, 0.5], [1, 101]),
        ("ended",),
        ("step", [1_002_001, 1_002_101]),
        ("observe", [1_002_001, 1_002_101], [LAST, MID], [-1.0, 0.25], [2, 102]),
        ("ended", (0, Episode(-2.0, 2))),
        ("step", [2_004_002, 2_004_102]),
        ("observe", [2_004_002, 2_004_102], [FIRST, LAST], [0.0, 1.0], [10, 103]),
        ("ended", (1, Episode(9.75, 3))),
        ("step", [3_005_010, 3_005_103]),
        ("observe", [3_005_010, 3_005_103], [MID, FIRST], [1.0, 0.0], [11, 110]),
        ("ended",),
        ("step", [4_006_011, 4_006_110]),
        ("observe", [4_006_011, 4_006_110], [LAST, MID], [-1.0, 0.5], [12, 111]),
        ("ended", (0, Episode(-2.0, 2))),
        ("step", [5_008_012, 5_008_111]),
        ("observe", [5_008_012, 5_008_111], [FIRST, MID], [0.0, 0.25], [20, 112]),
        ("ended",),
    ]
    # A lane in FIRST counts no decision; a decision is four frames.
    assert counts == [(n, n, 4 * n) for n in (2, 4, 5, 6, 8, 9)]


def test_without_a_clip_rewards_are_stored_unchanged(environment, tape):
    actor = Actor(act, lambda: {"q": 0}, seed=0, adder=Recording(tape))
    loop = Loop(environment, actor)
    loop.step()
    loop.step()
    stored = [call[3] for call in tape if call[0] == "observe"]
    assert stored == [[3.0, 0.5], [-5.0, 0.25]]


def test_clipping_leaves_the_environments_timestep_alone(environment, tape):
    seen = []
    step = environment.step
    environment.step = lambda actions: seen.append(step(actions)) or seen[-1]
    actor = Actor(act, lambda: {"q": 0}, seed=0, adder=Recording(tape), reward_clip=1.0)
    Loop(environment, actor).step()
    assert seen[0].reward.tolist() == [3.0, 0.5]


def test_reset_forgets_unfinished_episodes(environment):
    loop = Loop(environment, Actor(act, lambda: {"q": 0}, seed=0))
    loop.step()
    loop.reset()
    assert loop.step() == []
    assert loop.step() == [(0, Episode(-2.0, 2))]


def test_all_lanes_may_end_at_once(scripted):
    environment = scripted([[[1.0]], [[2.0]], [[3.0]]])
    loop = Loop(environment, Actor(act, lambda: {"q": 0}, seed=0))
    ended = [list(loop.step()) for _ in range(3)]
    both = [(0, Episode(1.0, 1)), (1, Episode(2.0, 1)), (2, Episode(3.0, 1))]
    assert ended == [both, [], both]
    assert loop.actor_steps == 6


def test_the_policy_is_not_called_where_all_lanes_have_ended(scripted):
    """Its actions would be ignored; keys of later calls stay as if it were called."""
    observed, drawn = [], []

    class Counted(Actor):
        def select_action(self, observation):
            observed.append(observation.tolist())
            drawn.append(super().select_action(np.zeros(2, np.float32)).tolist())
            return np.array(drawn[-1])

    environment = scripted([[[1.0]], [[2.0], [2.0, 3.0]]])
    loop = Loop(environment, Counted(draws, dict, seed=5))
    ended = [len(loop.step()) for _ in range(6)]
    assert ended == [2, 0, 1, 1, 1, 0]
    # Call 1 is left out; at the others one lane at least decides.
    assert observed == [[0, 100], [10, 110], [11, 111], [20, 112], [21, 120]]
    alone = Actor(draws, dict, seed=5)
    calls = [alone.select_action(np.zeros(2, np.float32)).tolist() for _ in range(6)]
    assert drawn == [calls[0], *calls[2:]]


def test_the_store_hears_of_the_step_without_a_call(scripted, tape):
    environment = scripted([[[1.0]], [[2.0]]])
    loop = Loop(environment, Actor(act, lambda: {"q": 0}, 0, adder=Recording(tape)))
    for _ in range(3):
        loop.step()
    kinds = [call[2] for call in tape if call[0] == "observe"]
    assert kinds == [[LAST, LAST], [FIRST, FIRST], [LAST, LAST]]


def test_after_a_reset_the_policy_is_called_again(scripted):
    environment = scripted([[[1.0], [4.0]]])
    loop = Loop(environment, Actor(act, lambda: {"q": 0}, seed=0))
    loop.step()
    loop.reset()
    assert loop.step() == [(0, Episode(1.0, 1))]
    taken = [call[1] for call in environment.tape if call[0] == "step"]
    assert taken == [[0], [1_000]]


def draws(params, key, observation, actor_steps, evaluation):
    """Random actions; in evaluation, always action 0."""
    actions = jax.random.randint(key, observation.shape, 1, 1_000)
    return jnp.where(evaluation, 0, actions), ()


def test_the_seed_determines_the_actions():
    def actions(seed, evaluation=False):
        actor = Actor(draws, dict, seed, evaluation=evaluation)
        observation = np.zeros(7, np.float32)
        return [actor.select_action(observation).tolist() for _ in range(3)]

    first, second, third = actions(5)
    assert first != second != third, "every call has another key"
    assert actions(5) == [first, second, third] != actions(6)
    assert actions(5, evaluation=True) == [[0] * 7] * 3


def test_the_policy_is_compiled_once():
    traces = []

    def traced(params, key, observation, actor_steps, evaluation):
        traces.append(observation.shape)
        return observation, ()

    actor = Actor(traced, lambda: {"q": np.float32(1)}, seed=0)
    for steps in (0, 1, 2**31 - 1):
        actor.actor_steps = steps
        actor.select_action(np.zeros(3, np.float32))
    assert traces == [(3,)]


def test_reseeding_starts_exploration_afresh():
    actor = Actor(draws, dict, seed=5)
    observation = np.zeros(7, np.float32)
    first = actor.select_action(observation)
    assert type(first) is np.ndarray
    actor.reseed(6, actor_steps=40)
    assert actor.actor_steps == 40
    other = actor.select_action(observation)
    actor.reseed(5, actor_steps=0)
    again = actor.select_action(observation)
    assert first.tolist() == again.tolist() != other.tolist()


def test_what_is_not_finite_is_not_stored(scripted, tape):
    """A NaN in the replay would end the learner much later, and every resumed run."""
    environment = scripted([[[3.0, float("nan")]], [[0.5, 0.25, 9.0]]])
    actor = Actor(act, lambda: {"q": np.int32(1)}, seed=0, adder=Recording(tape))
    loop = Loop(environment, actor)
    loop.step()
    before = list(tape)
    with pytest.raises(NotFinite, match="reward of nan in lane 0 at actor step 4"):
        loop.step()
    assert tape == before
