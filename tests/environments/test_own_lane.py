"""One environment of a user: its steps, and the rules that it may break."""

import sys

import dm_env
import gymnasium
import numpy as np
import pytest
from dm_env import specs

from environments import own, own_lane
from environments.checks import EnvironmentFailed


def make(name, seed=0, lane=0, rendered=False, **kwargs):
    config = own.Gymnasium(f"stranger_envs:{name}", kwargs)
    return own.make_one(config, seed, lane=lane, rendered=rendered)


def test_a_corridor_is_walked_to_its_end(strangers):
    """Places are numbered from 1, moves from -1: west to the key, then to the door."""
    environment = make("Corridor", length=3)
    timestep = environment.reset()
    np.testing.assert_array_equal(timestep.observation[:4], [0, 1, 0, 0])
    seen = [environment.step(action) for action in (0, 2, 2)]
    assert [step.reward for step in seen] == [0, 0, 1]
    assert [step.discount for step in seen] == [1, 1, 0]
    assert [step.last() for step in seen] == [False, False, True]
    np.testing.assert_array_equal(seen[-1].observation[:4], [0, 0, 1, 1])
    assert environment.step(0).first()


def test_a_tank_gets_actions_within_its_bounds(strangers):
    """Inflow (4 - 0) / 2 * (0.5 + 1) = 3, of which a tenth enters: 0.8 * 0.5 + 0.3."""
    environment = make("make_tank", steps=2)
    action = np.array([0.5, -1.0], np.float32)
    environment.reset()
    first = environment.step(action)
    np.testing.assert_allclose(first.observation[0, 0], 0.7, rtol=1e-6)
    np.testing.assert_allclose(first.reward, -0.3, rtol=1e-6)
    np.testing.assert_array_equal(action, np.float32([0.5, -1.0]))  # kept by the replay
    last = environment.step(action)
    assert last.last() and last.discount == 1.0  # cut, and not at an end


def test_an_image_that_the_environment_reuses_is_copied(strangers):
    environment = make("Lights-v0")
    first = environment.reset().observation
    kept = first.copy()
    environment.step(0)
    np.testing.assert_array_equal(first, kept)
    assert first.shape == (3, 44, 40) and set(np.unique(first)) == {10, 250}


def test_dm_env_keeps_its_discounts(strangers):
    environment = make("Swing", steps=2)
    assert environment.reset().first()
    middle, last = environment.step(1), environment.step(1)
    assert (middle.reward, middle.discount, middle.step_type) == (
        0.25,
        0.5,
        dm_env.StepType.MID,
    )
    assert (last.reward, last.discount, last.step_type) == (
        1.0,
        0.5,
        dm_env.StepType.LAST,
    )


@pytest.mark.parametrize(
    "how, said",
    [
        ("shape", "the observation must have shape [3], got [4]"),
        ("type", "the observation must be float32, got <U1"),
        ("observation", "the observation must be finite, got [ 0. nan 0.]"),
        ("none", "the reward must be a number, got None"),
        ("array", "the reward must be a number, got an array of shape [1]"),
        ("reward", "the reward must be finite, got inf"),
        ("flag", "terminated must be true or false, got None"),
        ("values", "the retired gym returned 4 values: the package shimmy converts"),
        ("bug", "step raised KeyError: 'a bug' ("),
        ("exit", "step raised SystemExit: a wish to leave ("),
    ],
)
def test_a_broken_rule_names_environment_lane_and_step(how, said, strangers):
    environment = make("Broken", lane=4, how=how)
    environment.reset()
    environment.step(1)
    with pytest.raises(EnvironmentFailed) as caught:
        environment.step(1)
    message = str(caught.value)
    where = "stranger_envs:Broken in lane 4 at step 2 of its episode 1: "
    assert message.startswith(where) and said in message and "\n" not in message


def test_a_reset_without_info_is_named(strangers):
    with pytest.raises(EnvironmentFailed, match=r"at step 0 .* got ndarray; reset"):
        make("Broken", how="reset").reset()


def test_a_reset_without_a_seed_is_named(strangers):
    class Old(gymnasium.Env):
        observation_space = action_space = gymnasium.spaces.Discrete(3)

        def reset(self):
            return 0

    with pytest.raises(EnvironmentFailed) as caught:
        own_lane.Lane(Old(), "mine:Old", 0, lane=2).reset()
    message = str(caught.value)
    where = "mine:Old in lane 2 at step 0 of its episode 1: reset must be defined as "
    assert message.startswith(f"{where}reset(self, *, seed=None, options=None): ")


class Steps(dm_env.Environment):
    """Returns the given timesteps."""

    def __init__(self, *timesteps):
        self.timesteps = [*timesteps]

    def reset(self):
        return self.timesteps.pop(0)

    def step(self, action):
        return self.timesteps.pop(0)

    def observation_spec(self):
        return specs.Array((2,), np.float32)

    def action_spec(self):
        return specs.DiscreteArray(3)


@pytest.mark.parametrize(
    "step, said",
    [
        (dm_env.transition(None, np.ones(2)), "the reward must be a number, got None"),
        (dm_env.transition(np.nan, np.ones(2)), "the reward must be finite, got nan"),
        (dm_env.transition(1.0, np.ones(2), 1.5), "discount must be from 0 to 1, got "),
        (dm_env.transition(1.0, np.ones(2), None), "the discount must be a number, "),
        (dm_env.transition(1.0, np.ones(3)), "must have shape [2], got [3]"),
        (dm_env.transition(1.0, [np.inf, 1]), "observation must be finite, got [inf"),
        (dm_env.restart(np.ones(2)), "step must not return a FIRST before a LAST"),
        ((np.ones(2), 1.0, False, {}), "step must return a dm_env.TimeStep, got ("),
    ],
)
def test_dm_env_is_checked_as_gymnasium_is(step, said):
    steps = Steps(dm_env.restart(np.ones(2)), step)
    environment = own_lane.Lane(steps, "mine:Steps", 0, lane=3)
    environment.reset()
    with pytest.raises(EnvironmentFailed) as caught:
        environment.step(1)
    message = str(caught.value)
    assert message.startswith("mine:Steps in lane 3 at step 1 of its episode 1: ")
    assert said in message and "\n" not in message


def test_a_reset_of_dm_env_must_be_a_first():
    steps = Steps(dm_env.transition(1.0, np.ones(2)))
    with pytest.raises(EnvironmentFailed, match="reset must return a FIRST, got "):
        own_lane.Lane(steps, "mine:Steps", 0).reset()


def test_an_environment_without_spaces_is_named():
    with pytest.raises(EnvironmentFailed, match=r"^mine:Bare: .* no attribute 'obs"):
        own_lane.Lane(gymnasium.Env(), "mine:Bare", 0)


@pytest.mark.parametrize("leave", [lambda: 1 / 0, sys.exit])
def test_an_environment_that_cannot_be_closed_ends_no_run(leave, capsys):
    steps = Steps()
    steps.close = leave
    own_lane.Lane(steps, "mine:Steps", 0, lane=3).close()
    err = capsys.readouterr().err
    assert err.startswith("munchausen: mine:Steps in lane 3 was not closed: close ")
    assert err.count("\n") == 1


def test_a_very_long_episode_is_told_once(strangers, monkeypatch, capsys):
    monkeypatch.setattr(own_lane, "_LONG_EPISODE", 3)
    environment = make("Broken", after=99)
    environment.reset()
    for _ in range(7):
        environment.step(0)
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "has played 3 steps of one episode" in err
    assert "--environment.episode_steps" in err


def test_what_cannot_be_rendered_is_refused(strangers):
    with pytest.raises(EnvironmentFailed, match="cannot be recorded: its metadata"):
        make("make_tank", rendered=True)
    with pytest.raises(EnvironmentFailed, match="it must have a method render"):
        make("Swing", rendered=True)
    environment = make("Corridor", rendered=True, length=3)
    environment.reset()
    assert environment.render().shape == (20, 60, 3)
    assert environment.frames_per_second == 5.0
