"""The learner: steps, parameters for others, and its state."""

import gc
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

import agents
from agents.parts.contract import Transition, discrete_spec
from launch import devices, errors
from launch.roles.batches import Given
from launch.roles.learner import Learner
from tests.launch.small_experiments import changed

SPEC = discrete_spec((10, 5), np.float32, 3)
BATCH = 11


@pytest.fixture(scope="module")
def agent():
    small = {"network.torso": "mlp", "network.hidden": (7,)}
    small |= {"storage.batch_size": BATCH, "target_update_period": 3}
    config = changed(agents.REGISTRY["mdqn"].config(), small)
    return agents.REGISTRY["mdqn"].agent(config, SPEC)


def batches():
    rng = np.random.default_rng(0)
    while True:
        yield Transition(
            observation=rng.normal(size=(BATCH, 10, 5)).astype(np.float32),
            action=rng.integers(0, 3, BATCH).astype(np.int32),
            reward=rng.normal(size=BATCH).astype(np.float32),
            discount=np.ones(BATCH, np.float32),
            next_observation=rng.normal(size=(BATCH, 10, 5)).astype(np.float32),
        )


def make(agent, seed=0, stream=None, **settings):
    stream = batches() if stream is None else stream
    return Learner(agent, seed, Given(lambda: next(stream)), **settings)


def values(tree):
    return [np.asarray(leaf).tolist() for leaf in jax.tree.leaves(tree)]


def test_a_step_takes_one_batch_and_moves_the_parameters(agent):
    learner = make(agent)
    before = values(learner.params)
    assert learner.metrics == {}
    learner.step()
    assert values(learner.params) != before
    assert {"q_loss", "q_mean"} <= set(learner.metrics)
    assert all(np.isfinite(float(value)) for value in learner.metrics.values())
    assert learner.learner_steps == 1 == int(learner.save().steps)


def test_a_state_with_metrics_that_are_not_finite_is_not_saved(agent):
    learner = make(agent)
    learner.step()
    learner.metrics = {"q_loss": np.float32("nan")}
    with pytest.raises(errors.NotFinite, match=r"loss of network q is nan at .* 1"):
        learner.save()


def test_a_metric_that_is_an_array_is_refused_before_the_first_step(agent):
    def update(state, batch):
        state, metrics = agent.update(state, batch)
        return state, {**metrics, "q_values": np.zeros(3)}

    learner = make(agent._replace(update=update))
    with pytest.raises(errors.NotFinite, match=r"metric q_values must be one"):
        learner.step()
    assert learner.learner_steps == 0


def test_run_takes_num_steps_or_continues_until_data_ends(agent):
    learner = make(agent, stream=itertools.islice(batches(), 9))
    learner.run(4)
    assert learner.learner_steps == 4
    learner.run(0)
    assert learner.learner_steps == 4
    with pytest.raises(StopIteration):
        learner.run()
    assert learner.learner_steps == 9


def test_equal_seeds_learn_equally_and_others_do_not(agent):
    same = [make(agent, seed) for seed in (3, 3, 4)]
    for learner in same:
        learner.run(4)
    first, second, other = (values(learner.params) for learner in same)
    assert first == second != other


def test_variables_are_numpy_and_come_in_the_order_asked_for(agent):
    both = agent._replace(
        init=lambda key: agent.init(key)._replace(
            params={"policy": {"w": np.ones(2)}, "q": {"w": np.zeros(3)}}
        )
    )
    learner = make(both)
    q, policy, again = learner.get_variables(["q", "policy", "q"])
    assert [leaf["w"].tolist() for leaf in (q, policy)] == [[0, 0, 0], [1, 1]]
    assert type(q["w"]) is np.ndarray and again["w"].tolist() == q["w"].tolist()
    with pytest.raises(KeyError, match="critic"):
        learner.get_variables(["critic"])


def test_variables_are_a_snapshot(agent):
    learner = make(agent)
    before = learner.get_variables(["q"])
    kept = values(before)
    learner.run(2)
    assert values(before) == kept != values(learner.get_variables(["q"]))


def test_a_restored_learner_continues_as_if_never_interrupted(agent):
    whole = make(agent)
    whole.run(7)
    stream = batches()
    first = make(agent, stream=stream)
    first.run(4)
    second = make(agent, seed=99, stream=stream)
    second.restore(first.save())
    assert second.learner_steps == 4
    second.run(3)
    assert second.learner_steps == 7
    assert values(second.params) == values(whole.params)
    assert values(second.save().opt_state) == values(whole.save().opt_state)


def number_of_layers():
    """Arrays of the first layer's shape that exist: nothing else has it."""
    gc.collect()
    return sum(array.shape == (50, 7) for array in jax.live_arrays())


def test_it_keeps_one_state_and_nothing_of_earlier_ones(agent):
    """Network, target, and Adam's two moments, also after a restore."""
    before = number_of_layers()
    learner = make(agent)
    assert number_of_layers() == before + 4
    learner.run(3)
    assert number_of_layers() == before + 4
    learner.restore(learner.save())
    learner.step()
    assert number_of_layers() == before + 4
    with ThreadPoolExecutor(1) as thread:
        threaded = make(agent, thread=thread)
        threaded.run(3)
        threaded.save()
        assert number_of_layers() == before + 4 + 5  # with those at hand


def test_taken_networks_replace_copies_in_the_targets_and_nothing_else():
    small = {"network.torso": "mlp", "network.hidden": (7,)}
    config = changed(agents.REGISTRY["dvw_dqn"].config(), small)
    learner = make(agents.REGISTRY["dvw_dqn"].agent(config, SPEC))
    before = learner.save()
    given = jax.tree.map(lambda leaf: np.asarray(leaf) + 1, before.params["q"])
    learner.take_over({"q": given, "of another agent": given})
    after = learner.save()
    assert before.params.keys() == after.params.keys() == {"q", "variance", "scale"}
    for name in ("q", "previous_q"):
        assert values(after.target_params[name]) == values(given)
    assert values(after.params["q"]) == values(given)
    for name in ("variance", "scale"):
        assert values(after.params[name]) == values(before.params[name])
        kept = values(before.target_params[name])
        assert values(after.target_params[name]) == kept
    assert values(after.opt_state) == values(before.opt_state)


@pytest.fixture
def calls(monkeypatch):
    """The number of batches in each compiled call."""
    sizes, compiled = [], devices.compile_update

    def compile_update(*arguments):
        call = compiled(*arguments)

        def noted(state, batches, shared):
            sizes.append(len(batches))
            return call(state, batches, shared)

        return noted

    monkeypatch.setattr(devices, "compile_update", compile_update)
    return sizes


def test_a_turn_takes_as_many_updates_in_a_call_as_it_may(agent, calls):
    single = make(agent)
    single.run(8)
    assert calls == [1] * 8
    del calls[:]
    several = make(agent, updates_per_call=3)
    several.run(7)
    several.run(1)
    assert calls == [3, 3, 1, 1] and several.learner_steps == 8
    for one, other in zip(*map(values, (single.params, several.params)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    ending = make(agent, stream=itertools.islice(batches(), 5), updates_per_call=3)
    with pytest.raises(StopIteration):
        ending.run()
    assert ending.learner_steps == 5, "the last two came alone"


def test_a_step_reuses_the_memory_of_all_but_what_others_read(agent):
    learner = make(agent)
    before = learner.save()
    learner.step()
    deleted = {
        name: {leaf.is_deleted() for leaf in jax.tree.leaves(part)}
        for name, part in before._asdict().items()
    }
    reused = {"target_params": {True}, "opt_state": {True}}
    assert deleted == {"params": {False}, "steps": {False}, "key": {False}} | reused
    saved = learner.save()
    kept = values(saved.opt_state)
    again = make(agent)
    again.restore(saved)
    again.step()
    assert values(learner.save().opt_state) == kept, "the other has a copy"


def test_a_caller_goes_on_with_the_parameters_of_before_the_turn_under_way(agent):
    may_end = threading.Event()

    def wait(steps):
        assert may_end.wait(30)
        return steps

    def update(state, batch):
        new, metrics = agent.update(state, batch)
        # Nothing of the update is ready before the test allows it.
        steps = jax.pure_callback(
            wait, jax.ShapeDtypeStruct((), np.int32), new.steps, vmap_method=None
        )
        return new._replace(steps=steps), metrics | {"steps": steps}

    with ThreadPoolExecutor(1) as thread:
        learner = make(agent._replace(update=update), thread=thread)
        first = values(learner.at_hand.params)
        learner.run(0)
        learner.run(2)
        assert learner.learner_steps == 2 and not may_end.is_set()
        assert values(learner.at_hand.params) == first
        assert learner.at_hand.metrics == {}
        seen = np.zeros((1, 10, 5), np.float32)
        act = jax.jit(agent.act)
        act(learner.at_hand.params, jax.random.key(0), seen, 0, False)
        may_end.set()
        second = values(learner.params)
        assert values(learner.at_hand.params) == first != second
        learner.run(1)
        assert values(learner.at_hand.params) == second
        assert int(learner.at_hand.metrics["steps"]) == 2
        learner.catch_up()
        assert values(learner.at_hand.params) == values(learner.params) != second
        assert learner.at_hand.metrics == {}
    same = make(agent)
    same.run(3)
    assert values(same.params) == values(learner.params)


def test_an_error_in_the_thread_reaches_the_caller(agent):
    with ThreadPoolExecutor(1) as thread:
        learner = make(agent, thread=thread, stream=iter([1, 2]))
        learner.run(1)
        with pytest.raises(AttributeError, match="observation"):
            learner.run(1)
