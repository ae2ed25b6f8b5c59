"""The contract's checks: an agent that violates one of them is told what and how."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts import conformance, trial
from agents.parts.conformance import Failed
from agents.parts.contract import Agent, Stage, Storage, TrainingState

SPEC = trial.VECTORS


def init(key):
    params = {"q": jax.random.normal(key, (7, 5))}
    return TrainingState(
        params, params, {"q": jnp.zeros(())}, jnp.zeros((), jnp.int32), key
    )


def update(state, batch):
    target = batch.reward.mean()
    q = state.params["q"] * 0.9 + 0.1 * target
    after = state._replace(params={"q": q}, steps=state.steps + 1)
    return after, {"q_loss": jnp.mean(q)}


def act(params, key, observation, actor_steps, evaluation):
    actions = jnp.argmax(observation @ params["q"], axis=1).astype(jnp.int32)
    return actions, {"greedy": jnp.ones(len(observation))}


GOOD = Agent(init, update, act, Storage(), 0.9)


def first_failure(agent):
    """The check that fails first, and its message; None if all pass."""
    one = trial.compile_agent(agent)
    for check in conformance.CHECKS.values():
        try:
            check(one, SPEC)
        except Failed as error:
            return check.__name__, str(error)
    return None


def test_a_good_agent_passes():
    assert first_failure(GOOD) is None
    conformance.check_numbers(GOOD)
    conformance.check_stages([Stage(GOOD)], SPEC)


def counted_twice(state, batch):
    return update(state._replace(steps=state.steps + 1), batch)


def metric_of_each_row(state, batch):
    return update(state, batch)[0], {"error": batch.reward}


def infinite_metric(state, batch):
    return update(state, batch)[0], {"error": jnp.log(0.0)}


def no_change(state, batch):
    return state._replace(steps=state.steps + 1), {}


def other_type(state, batch):
    after, metrics = update(state, batch)
    return after._replace(opt_state={"q": jnp.zeros((), jnp.int32)}), metrics


def other_structure(state, batch):
    after, metrics = update(state, batch)
    return after._replace(opt_state={"q": jnp.zeros(()), "more": 0}), metrics


def fixed_init(key):
    return init(jax.random.key(0))


def other_targets(key):
    state = init(key)
    return state._replace(target_params={"q": state.params["q"] + 1})


def unnamed_networks(key):
    return init(key)._replace(opt_state={"policy": jnp.zeros(())})


def wide_actions(params, key, observation, actor_steps, evaluation):
    return act(params, key, observation, 0, False)[0][:, None], ()


def float_actions(params, key, observation, actor_steps, evaluation):
    return act(params, key, observation, 0, False)[0].astype(jnp.float32), ()


def large_actions(params, key, observation, actor_steps, evaluation):
    return act(params, key, observation, 0, False)[0] + 5, ()


def one_extra(params, key, observation, actor_steps, evaluation):
    return act(params, key, observation, 0, False)[0], {"log": jnp.zeros(1)}


@pytest.mark.parametrize(
    "change, check, message",
    [
        (
            {"init": fixed_init},
            "check_init",
            "init must give different networks for different keys; got equal ones",
        ),
        (
            {"init": other_targets},
            "check_init",
            "the target of q must start equal to the network; it differs",
        ),
        (
            {"init": unnamed_networks},
            "check_init",
            "params must have the network policy of opt_state; got ['q']",
        ),
        (
            {"update": counted_twice},
            "check_update",
            "update must add 1 to steps; 0 became 2",
        ),
        (
            {"update": metric_of_each_row},
            "check_update",
            "the metric error must be one finite number; its shape is [11]",
        ),
        (
            {"update": infinite_metric},
            "check_update",
            "the metric error must be one finite number; it is -inf",
        ),
        (
            {"update": no_change},
            "check_update",
            "update must change the networks; 4 updates changed nothing",
        ),
        (
            {"update": other_type},
            "check_update",
            "update must keep structure, shapes and dtypes of the state; "
            ".opt_state['q'] changed from [((), dtype('float32')), "
            "((), dtype('int32'))]",
        ),
        (
            {"update": other_structure},
            "check_update",
            "update must keep structure, shapes and dtypes of the state; the structure "
            "changed",
        ),
        (
            {"act": wide_actions},
            "check_act",
            "actions for 1 environments must be int32 of shape [1], between 0 and 4; "
            "got [1, 1]",
        ),
        (
            {"act": float_actions},
            "check_act",
            "actions for 1 environments must be int32 of shape [1], between 0 and 4; "
            "got float32",
        ),
        (
            {"act": one_extra},
            "check_act",
            "extras of 3 environments must have 3 rows; got a leaf of shape [1]",
        ),
    ],
)
def test_a_violation_is_named(change, check, message):
    assert first_failure(GOOD._replace(**change)) == (check, message)


def test_actions_out_of_range_are_shown():
    check, message = first_failure(GOOD._replace(act=large_actions))
    assert check == "check_act" and "between 0 and 4; got " in message


def test_randomness_that_does_not_come_from_the_key_is_found():
    rng = np.random.default_rng(0)

    def random_act(params, key, observation, actor_steps, evaluation):
        drawn = jax.pure_callback(
            lambda: rng.integers(0, 5, len(observation)).astype(np.int32),
            jax.ShapeDtypeStruct((len(observation),), jnp.int32),
        )
        return drawn, ()

    agent = GOOD._replace(act=random_act)
    found = {first_failure(agent) for _ in range(5)} - {None}
    message = "act must give equal actions and extras for equal arguments"
    assert found == {("check_act_repeats", f"{message}; got different ones")}


@pytest.mark.parametrize(
    "agent, message",
    [
        (
            GOOD._replace(discount=1.5),
            "discount must be above 0 and at most 1; got 1.5",
        ),
        (
            GOOD._replace(discount=0.0),
            "discount must be above 0 and at most 1; got 0.0",
        ),
    ],
)
def test_numbers_out_of_range_are_named(agent, message):
    with pytest.raises(Failed, match=message):
        conformance.check_numbers(agent)


@pytest.mark.parametrize(
    "stages, message",
    [
        ([Stage(GOOD, steps=3)], "the last stage must have no name and no steps"),
        ([Stage(GOOD, 3), Stage(GOOD)], "must have different names; got \\[''\\]"),
        ([Stage(GOOD, name="a"), Stage(GOOD)], "a must have at least 1 step; got None"),
    ],
)
def test_wrong_stages_are_named(stages, message):
    with pytest.raises(Failed, match=message):
        conformance.check_stages(stages, SPEC)


def test_a_stage_must_learn_a_network_of_the_last_one():
    def other_init(key):
        state = init(key)
        params = {"model": state.params["q"]}
        return state._replace(params=params)

    def other_update(state, batch):
        return state._replace(params={"model": state.params["model"] + 1}), {}

    other = GOOD._replace(init=other_init, update=other_update)
    first = Stage(other, steps=3, name="pretraining")
    with pytest.raises(Failed) as refused:
        conformance.check_stages([first, Stage(GOOD)], SPEC)
    assert str(refused.value) == (
        "the stage pretraining must learn a network of the last stage; it has "
        "['model'], the last one ['q']"
    )
    first = Stage(GOOD, steps=3, name="pretraining")
    conformance.check_stages([first, Stage(GOOD)], SPEC)
