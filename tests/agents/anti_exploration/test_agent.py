"""TD3-CVAE: bonus by hand, the losses that it enters, and learning near the data."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from agents.anti_exploration import agent as anti_exploration
from agents.anti_exploration import autoencoder
from agents.parts import networks, sgd, twin_critics
from agents.parts.contract import Transition
from tests.agents.anti_exploration.numpy_autoencoder import by_hand
from tests.agents.cases import BOX, batch_of, leaves_equal, make, small

NAME = "anti_exploration"


def started(key, **settings):
    """An agent and its first state, with TD3's networks for the same key."""
    agent, plain = make(NAME, BOX, **settings), make("td3").init(key)
    state = agent.init(key)
    return agent, state._replace(
        params={**state.params, **plain.params},
        target_params=plain.target_params,
        key=plain.key,
    )


def after(agent, state, steps=2):
    update = jax.jit(agent.update)
    for step in range(steps):
        state, metrics = update(state, batch_of(BOX, seed=step))
    return state, metrics


def bonus_of(**settings):
    return anti_exploration.make_bonus(small(NAME, BOX, **settings), BOX)


@pytest.mark.parametrize(("divide_twice", "divisor"), [(False, 3), (True, 9)])
def test_bonus_by_hand(key, divide_twice, divisor):
    params, batch = make(NAME).init(key).params, batch_of(BOX)
    rebuilt, _, _ = by_hand(params["cvae"], key, batch.observation, batch.action)
    bonus = bonus_of(divide_twice=divide_twice)
    b = bonus(params, key, batch.observation, batch.action)
    expected = np.square(rebuilt - batch.action).sum(axis=1) / divisor
    np.testing.assert_allclose(b, expected, rtol=1e-4)


def test_the_gradient_flows_through_the_action_twice(key):
    """By finite differences, separately as input and as the target of rebuilding."""
    params, batch, bonus = make(NAME).init(key).params, batch_of(BOX), bonus_of()
    observation, action = batch.observation, 0.5 * batch.action

    def total(encoded, wanted):
        rebuilt, _, _ = by_hand(params["cvae"], key, observation, encoded)
        return np.square(rebuilt - wanted).mean(axis=1).sum()

    gradient = jax.grad(lambda a: jnp.sum(bonus(params, key, observation, a)))(action)
    for row, column in [(2, 0), (5, 1), (9, 2)]:
        change = np.zeros(action.shape)
        change[row, column] = 1e-5
        more, less = action + change, action - change
        as_input = (total(more, action) - total(less, action)) / 2e-5
        as_wanted = (total(action, more) - total(action, less)) / 2e-5
        assert min(abs(as_input), abs(as_wanted)) > 0.005
        np.testing.assert_allclose(
            gradient[row, column], as_input + as_wanted, rtol=0.01
        )


def test_the_bonus_lowers_the_targets_and_the_policys_objective(key):
    batch = batch_of(BOX)
    agent, state = started(key, coefficient=3.0, policy_delay=1)
    plain = make("td3", policy_delay=1)
    _, metrics = jax.jit(agent.update)(state, batch)
    _, others = jax.jit(plain.update)(plain.init(key), batch)
    assert metrics["critic_loss"] != others["critic_loss"]
    free, state = started(key, coefficient=3.0, policy_delay=1, bonus_in="critic")
    _, lower = jax.jit(free.update)(state, batch)
    paid = metrics["policy_loss"] - lower["policy_loss"]
    assert metrics["bonus"] > 0
    np.testing.assert_allclose(paid, 3 * metrics["bonus"], rtol=1e-4)


@pytest.mark.parametrize("charge_noise", [False, True])
def test_critic_target_by_hand(key, charge_noise):
    settings = {"coefficient": 3.0, "charge_noise": charge_noise, "discount": 0.9}
    agent, state = started(key, **settings)
    batch = batch_of(BOX)
    frozen = make("td3", discount=0.9)
    plain = state._replace(opt_state=frozen.init(key).opt_state)
    a_t, _ = agent.act(state.params, key, batch.next_observation, 0, True)
    loss_key = jax.random.split(state.key, 3)[1]
    if charge_noise:
        a_t = twin_critics.smoothed(loss_key, a_t, noise=0.2, noise_clip=0.5)
    b = bonus_of()(
        state.params, jax.random.fold_in(loss_key, 1), batch.next_observation, a_t
    )
    # The bonus of the next action, discounted, is the same as a smaller reward.
    charged = batch._replace(reward=batch.reward - 0.9 * batch.discount * 3 * b)
    params = {n: state.params[n] for n in ("critic", "policy")}
    _, expected = frozen.update(plain._replace(params=params), charged)
    _, metrics = jax.jit(agent.update)(state, batch)
    np.testing.assert_allclose(
        metrics["critic_loss"], expected["critic_loss"], rtol=1e-5
    )


def test_without_a_coefficient_it_is_td3(key):
    ours, _ = after(*started(key, coefficient=0.0), steps=4)
    plain = make("td3")
    theirs, _ = after(plain, plain.init(key), steps=4)
    for name in ("critic", "policy"):
        for tree in ("params", "target_params"):
            jax.tree.map(
                lambda one, other: np.testing.assert_allclose(one, other, atol=1e-6),
                getattr(ours, tree)[name],
                getattr(theirs, tree)[name],
            )


def test_bonus_in_selects_the_losses_that_are_charged(key):
    first = {}
    for bonus_in in ("both", "critic", "actor"):
        agent, state = started(key, coefficient=3.0, policy_delay=1, bonus_in=bonus_in)
        first[bonus_in], _ = after(agent, state, steps=1)
        assert leaves_equal(first[bonus_in].params["cvae"], state.params["cvae"])
    plain = make("td3", policy_delay=1)
    first["neither"], _ = after(plain, plain.init(key), steps=1)

    def same(name, one, other):
        return leaves_equal(first[one].params[name], first[other].params[name])

    assert same("critic", "both", "critic") and not same("critic", "both", "actor")
    assert same("critic", "actor", "neither")
    assert not same("policy", "both", "critic")
    assert not same("policy", "actor", "neither")


def test_target_actions_may_leave_the_box(key):
    losses = set()
    for clip_target_action in (True, False):
        agent, state = started(
            key, clip_target_action=clip_target_action, target_noise=9.0
        )
        losses.add(float(agent.update(state, batch_of(BOX))[1]["critic_loss"]))
    assert len(losses) == 2


def dataset(rng, size):
    """One-step episodes; actions near 0.4 s; larger actions have more reward."""
    observation = rng.uniform(-1, 1, (size, 3)).astype(np.float32)
    action = 0.4 * observation + rng.normal(0, 0.05, (size, 3))
    return Transition(
        observation,
        action.astype(np.float32),
        reward=action.sum(axis=1).astype(np.float32),
        discount=np.zeros(size, np.float32),
        next_observation=observation,
    )


def trained(agent, state, rng, steps):
    update = jax.jit(agent.update)
    for _ in range(steps):
        state, _ = update(state, dataset(rng, 128))
    return state


@pytest.mark.slow
def test_it_stays_near_the_data_where_td3_extrapolates(key):
    spec = BOX._replace(observation=BOX.action)
    adam = sgd.Optimizer(3e-3, 1e-8)
    config = anti_exploration.Config(
        coefficient=20.0,
        network=networks.Config("mlp", (32, 32)),
        optimizer=adam,
        autoencoder=autoencoder.Config(hidden=(32, 32), optimizer=adam),
    )
    rng = np.random.default_rng(0)
    stage = anti_exploration.pretraining(config, spec)
    learned = trained(stage, stage.init(key), rng, 800).params

    test = dataset(rng, 1_000)
    bonus = jax.jit(anti_exploration.make_bonus(config, spec))
    uniform = rng.uniform(-1, 1, test.action.shape).astype(np.float32)
    inside = bonus(learned, key, test.observation, test.action)
    outside = bonus(learned, key, test.observation, uniform)
    area = stats.mannwhitneyu(outside, inside).statistic / 1_000**2
    assert area > 0.9

    distance = {}
    for coefficient in (0.0, 20.0):
        agent = anti_exploration.agent(
            dataclasses.replace(config, coefficient=coefficient), spec
        )
        state = agent.init(key)
        state = state._replace(params={**state.params, **learned})
        state = trained(agent, state, rng, 800)
        action, _ = agent.act(state.params, key, test.observation, 0, True)
        distance[coefficient] = np.abs(action - 0.4 * test.observation).mean()
    assert distance[20.0] < 0.2 and distance[0.0] > 0.6, distance


@pytest.mark.parametrize(
    ("field", "value"),
    [("coefficient", -0.5), ("batch_size", 0), ("pretraining_steps", 0)],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got {value:g}"):
        dataclasses.replace(anti_exploration.Config(), **{field: value})
    with pytest.raises(
        ValueError, match=r"autoencoder.latent_size must be at least 0, got -1"
    ):
        autoencoder.Config(latent_size=-1)
