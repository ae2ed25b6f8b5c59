"""IQ: its equation and its loss by hand, and its policy as a distribution."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from agents import implicit_q
from agents.parts import continuous_networks, networks, sgd
from tests.agents.cases import BOX, batch_of, leaves_equal, make


def td_error(log_policy_tm1=-0.4, v_tm1=0.7, r_t=0.3, discount_t=0.9, **settings):
    """With a temperature of 0.5."""
    settings = {
        "munchausen": 0.8,
        "log_policy_floor": -10.0,
        "target_log_policy_tm1": -2.0,
        "target_v_t": 2.0,
        **settings,
    }
    arrays = (log_policy_tm1, v_tm1, r_t, discount_t)
    arrays += (settings.pop("target_log_policy_tm1"), settings.pop("target_v_t"), 0.5)
    return implicit_q.td_error(*map(jnp.asarray, arrays), **settings)


def test_td_error_by_hand():
    # 0.3 + 0.8 * 0.5 * -2 + 0.9 * 2 - (0.5 * -0.4 + 0.7) = 0.3 - 0.8 + 1.8 - 0.5
    np.testing.assert_allclose(td_error(), 0.8, rtol=1e-6)


def test_the_targets_log_policy_is_clipped_from_below_only():
    # 0.5 * -2 = -1 becomes -0.25; the prediction 1.3 + 0.5 * -0.4 is above the target:
    # 0.3 + 0.8 * -0.25 + 0.9 * 0.2 - 1.1
    error = td_error(v_tm1=1.3, target_v_t=0.2, log_policy_floor=-0.25)
    np.testing.assert_allclose(error, -0.82, rtol=1e-6)
    # A density above 1: 0.3 + 0.8 * 0.5 * 3 + 1.8 - 0.5 = 2.8
    np.testing.assert_allclose(td_error(target_log_policy_tm1=3.0), 2.8, rtol=1e-6)


def test_a_prediction_below_a_clipped_target_is_no_error():
    # 0.3 + 0.8 * -0.25 + 1.8 = 1.9, which the floor has raised by 0.6, is above 0.5.
    def below(log_policy, floor):
        return td_error(log_policy_tm1=log_policy, log_policy_floor=floor)

    np.testing.assert_allclose(below(-0.4, -0.25), 0.0)
    np.testing.assert_allclose(jax.grad(below)(-0.4, -0.25), 0.0)
    # Of a target that is not clipped it is: 0.3 + 0.8 * -1 + 1.8 - (0.5 * -100 + 0.7)
    np.testing.assert_allclose(below(-100.0, -1.0), 50.6, rtol=1e-6)


def test_a_terminal_state_has_no_value():
    np.testing.assert_allclose(td_error(discount_t=0.0), -1.0, rtol=1e-6)


def test_no_gradient_through_targets():
    gradients = jax.grad(
        lambda log_policy, v, target_log_policy, target_v: td_error(
            log_policy,
            v,
            target_log_policy_tm1=target_log_policy,
            target_v_t=target_v,
        ),
        argnums=(0, 1, 2, 3),
    )(-0.4, 0.7, -2.0, 2.0)
    assert [float(gradient) for gradient in gradients] == [-0.5, -1.0, 0.0, 0.0]


def perturbed(params, scale=0.3):
    """Adds noise to parameters, since policies start uniform and many terms at 0."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: leaf + np.float32(scale * rng.normal(size=leaf.shape)), params
    )


@pytest.mark.parametrize("temperature", [0.03, 1.0])
def test_the_softmax_identity_holds_on_a_grid_of_actions(key, temperature):
    """tau ln of the mean of exp(Q / tau) over all actions is V, up to grid error."""
    spec = BOX._replace(action=jax.ShapeDtypeStruct((1,), np.dtype(np.float32)))
    head = continuous_networks.histogram_head(spec)
    config = networks.Config("mlp", (13,))
    network = continuous_networks.policy_and_value(head, config, spec)
    observation = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    policy, v = network.apply(perturbed(network.init(key)), observation, temperature)
    grid = (np.arange(3_100) + 0.5) / 1_550 - 1  # midpoints, 100 in each bin
    log_prob = jax.vmap(lambda action: policy.log_prob(jnp.full((5, 1), action)))
    log_policy = np.asarray(log_prob(grid.astype(np.float32)), np.float64) + np.log(2)
    assert log_policy.std() > 0.1
    q = temperature * log_policy + v[None]
    recovered = temperature * (logsumexp(q / temperature, axis=0) - np.log(3_100))
    np.testing.assert_allclose(recovered, v, atol=temperature * 1e-4)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 0.0),
        ("target_entropy", 0.7),
        ("target_entropy", -2.8),
        ("munchausen", 1.5),
        ("log_policy_floor", 0.5),
        ("discount", -0.1),
        ("target_step_size", 1.5),
    ],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got {value:g}"):
        dataclasses.replace(implicit_q.Config(), **{field: value})


def test_only_a_histogram_has_a_least_entropy():
    assert implicit_q.Config(policy="tanh_gaussian", target_entropy=-2.8)


def test_the_temperature_moves_the_entropy_to_its_target(key):
    """One step of Adam is as long as the learning rate."""
    rate, target = 1e-3, 0.6
    agent = make(
        "iq",
        temperature=0.3,
        target_entropy=target,
        optimizer=sgd.Optimizer(rate),
    )
    start = agent.init(key)
    own = start.params["q"]
    network = perturbed(own["network"], scale=0.15)
    peaked = start._replace(params={"q": {**own, "network": network}})
    found = []
    # A uniform policy, of ln 2 a dimension, is too random, and a peaked one is not.
    for state, direction in ((start, -1), (peaked, 1)):
        after, metrics = jax.jit(agent.update)(state, batch_of(BOX))
        np.testing.assert_allclose(metrics["temperature"], 0.3, rtol=1e-6)
        moved = np.log(0.3) + direction * rate
        np.testing.assert_allclose(
            after.params["q"]["log_temperature"], moved, rtol=1e-5
        )
        found.append(float(metrics["entropy"]))
    assert found[0] == pytest.approx(3 * np.log(2), rel=1e-5)
    # The target is that of each of three dimensions.
    assert target < found[1] < 3 * target


def test_without_a_target_entropy_the_temperature_stays(key):
    agent = make("iq", temperature=0.3, target_entropy=None)
    state, metrics = jax.jit(agent.update)(agent.init(key), batch_of(BOX))
    np.testing.assert_allclose(
        state.params["q"]["log_temperature"], np.log(0.3), rtol=1e-6
    )
    assert set(metrics) == {"q_loss", "v_mean"}


def test_updates_sample_no_next_action():
    """Updates do not depend on the key, unlike those of an actor-critic."""
    agent = make("iq")
    state, update = agent.init(jax.random.key(0)), jax.jit(agent.update)
    one, _ = update(state, batch_of(BOX))
    two, _ = update(state._replace(key=jax.random.key(9)), batch_of(BOX))
    assert leaves_equal(one.params, two.params)


VALUE_CONFIG = networks.Config("mlp", (11, 5), layer_norm=True)


@pytest.mark.parametrize("policy", ["histogram", "tanh_gaussian"])
@pytest.mark.parametrize("shared_torso", [True, False])
@pytest.mark.parametrize(("target_entropy", "members"), [(None, 1), (-1.5, 3)])
def test_the_loss_by_hand(target_entropy, members, shared_torso, policy, key):
    batch, temperature = batch_of(BOX), 0.3
    network = continuous_networks.policy_and_value(
        implicit_q.HEADS[policy](BOX),
        networks.Config("mlp", (13,), layer_norm=True),
        BOX,
        None if shared_torso else VALUE_CONFIG,
    )
    network = continuous_networks.ensemble(network, members)
    settings = {
        "members": members,
        "policy": policy,
        "shared_torso": shared_torso,
        "target_entropy": target_entropy,
        "value_network": VALUE_CONFIG,
        "temperature": temperature,
    }
    own = make("iq", **settings).init(key).params["q"]
    params = perturbed(own["network"])
    policies, v_tm1 = network.apply(params, batch.observation, temperature)
    _, v_t = network.apply(params, batch.next_observation, temperature)
    # Three dimensions; uniform actions have an entropy of ln 2 in each.
    entropy = 3 * (np.log(2) if target_entropy is None else target_entropy)
    members_policies = [
        jax.tree.map(lambda leaf, i=i: leaf[i], policies) for i in range(members)
    ]
    log_policies = [each.log_prob(batch.action) for each in members_policies]
    own_scaled = temperature * (np.stack(log_policies) + entropy)
    joint = jax.tree.map(lambda leaf: leaf.mean(axis=0), policies)
    scaled = temperature * (np.asarray(joint.log_prob(batch.action)) + entropy)
    floor = float(np.mean(np.sort(scaled)[4:6]))  # it binds for 5 of the 11 actions
    least = np.min(np.asarray(v_t), axis=0)
    assert members == 1 or np.all(np.max(v_t, axis=0) > least)
    future = 0.9 * batch.discount * least
    target = batch.reward + 0.7 * np.maximum(scaled, floor) + future
    agent = make("iq", munchausen=0.7, log_policy_floor=floor, discount=0.9, **settings)
    both = {"q": {**own, "network": params}}
    state = agent.init(key)._replace(params=both, target_params=both)
    _, metrics = jax.jit(agent.update)(state, batch)
    error = target - own_scaled - np.asarray(v_tm1)
    clipped = scaled < floor
    assert np.any(clipped & (error > 0))
    kept = np.where(clipped, np.minimum(error, 0), error)
    expected = np.sum(np.mean(np.square(kept), axis=1))
    np.testing.assert_allclose(metrics["q_loss"], expected, rtol=1e-5)


def test_the_policy_starts_uniform_and_its_preferences_are_quadratic(key):
    config = networks.Config("mlp", (13,))
    observation = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    coefficients = {}
    for temperature in (0.5, 2.0):
        head = continuous_networks.histogram_head(BOX)
        network = continuous_networks.policy_and_value(head, config, BOX)
        start = network.init(key)
        uniform, v = network.apply(start, observation, temperature)
        np.testing.assert_array_equal(uniform.logits, 0.0)
        np.testing.assert_array_equal(v, np.zeros(5))
        logits = network.apply(perturbed(start), observation, temperature)[0].logits
        centres = np.linspace(-30 / 31, 30 / 31, 31)
        fits = np.polynomial.legendre.legfit(
            centres, np.asarray(logits, np.float64).reshape(15, 31).T, 2
        )
        fitted = np.polynomial.legendre.legval(centres, fits).reshape(logits.shape)
        np.testing.assert_allclose(logits, fitted, atol=1e-5)
        np.testing.assert_allclose(fits[0], 0.0, atol=1e-5)  # no constant term
        coefficients[temperature] = temperature * fits
    np.testing.assert_allclose(coefficients[0.5], coefficients[2.0], atol=1e-5)


@pytest.mark.parametrize(
    ("target_entropy", "bonus"),
    # Uniform actions have ln 2 in each of three dimensions, so with a target of -1 they
    # have 3 (ln 2 + 1) more than the target.
    [(np.log(2), 0.0), (-1.0, 3 * (np.log(2) + 1)), (None, 0.0)],
)
def test_a_policy_at_its_target_entropy_is_not_paid_for_a_step(
    target_entropy, bonus, key
):
    agent = make("iq", temperature=0.3, munchausen=0.75, target_entropy=target_entropy)
    state, batch = agent.init(key), batch_of(BOX)  # policy uniform, values 0
    _, metrics = jax.jit(agent.update)(state, batch)
    errors = batch.reward + (1 - 0.75) * 0.3 * bonus
    both = 2 * np.mean(errors**2)
    np.testing.assert_allclose(metrics["q_loss"], both, rtol=1e-5)


def test_without_munchausen_the_target_policy_is_not_computed(key):
    """This saves a forward pass, about a fifth of the computation."""
    costs = []
    for munchausen in (0.0, 0.7):
        agent = make("iq", munchausen=munchausen)
        update = jax.jit(agent.update).lower(agent.init(key), batch_of(BOX)).compile()
        costs.append(update.cost_analysis()["flops"])
    assert costs[0] < 0.95 * costs[1]
