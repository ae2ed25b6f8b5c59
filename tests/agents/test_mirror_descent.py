"""MD-dir, MD-ind and DA: their common regularised greedy policy, and its limits."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import mirror_descent
from agents.parts import equations
from tests.agents.cases import FAST, batch_of, leaves_equal, make, with_head

Q = jnp.array([1.0, 3.0, 2.5])
LOGITS = jnp.array([0.4, -0.3, 1.1])
KL_WEIGHT, TEMPERATURE = 0.6, 0.3
LAST = jax.nn.log_softmax(LOGITS)
# pi^beta exp(q / (lambda + tau)), normalised.
BEST = jax.nn.log_softmax(2 / 3 * LAST + Q / 0.9)


def config(actor, **settings):
    return mirror_descent.Config(
        actor=actor, kl_weight=KL_WEIGHT, temperature=TEMPERATURE, **settings
    )


def test_regularised_value_by_hand():
    # pi = [1/4, 3/4], mu = [1/2, 1/2], q = [1, 3]: <pi, q> = 2.5
    # KL = 1/4 ln 1/2 + 3/4 ln 3/2 = 0.130812; H = 1/4 ln 4 + 3/4 ln 4/3 = 0.562335
    value = equations.regularized_value(
        jnp.array([1.0, 3.0]),
        jnp.log(jnp.array([0.25, 0.75])),
        jnp.log(jnp.array([0.5, 0.5])),
        0.6,
        0.3,
    )
    np.testing.assert_allclose(value, 2.5 - 0.6 * 0.130812 + 0.3 * 0.562335, rtol=1e-6)


def test_the_largest_regularised_value_is_a_log_sum_exp():
    value = equations.regularized_value(Q, BEST, LAST, KL_WEIGHT, TEMPERATURE)
    scores = 2 / 3 * LAST + Q / 0.9
    np.testing.assert_allclose(value, 0.9 * jax.nn.logsumexp(scores), rtol=1e-6)


def test_without_kl_the_best_value_is_the_soft_value():
    log_probs = jax.nn.log_softmax(Q / TEMPERATURE)
    value = equations.regularized_value(Q, log_probs, LAST, 0.0, TEMPERATURE)
    np.testing.assert_allclose(value, equations.soft_value(Q, TEMPERATURE), rtol=1e-6)


@pytest.mark.parametrize("actor", ["direct", "indirect"])
def test_both_losses_are_minimal_at_the_regularised_greedy_policy(actor):
    loss = jax.grad(mirror_descent.policy_error)
    at_best = loss(BEST + 7.0, LOGITS, Q, config(actor))  # logits up to a constant
    np.testing.assert_allclose(at_best, np.zeros(3), atol=1e-6)
    elsewhere = loss(LOGITS, LOGITS, Q, config(actor))
    assert np.max(np.abs(elsewhere)) > 0.05


def test_indirect_loss_is_a_divergence():
    error = mirror_descent.policy_error(BEST, LOGITS, Q, config("indirect"))
    np.testing.assert_allclose(error, 0.0, atol=1e-6)
    # KL(best || last) by its definition.
    expected = jnp.sum(jnp.exp(BEST) * (BEST - LAST))
    error = mirror_descent.policy_error(LOGITS, LOGITS, Q, config("indirect"))
    np.testing.assert_allclose(error, expected, rtol=1e-5)


def test_averaging_reaches_the_same_policy_through_h():
    h = TEMPERATURE * LOGITS
    average = 2 / 3 * h + 1 / 3 * Q
    error = mirror_descent.policy_error(average, h, Q, config("averaging"))
    np.testing.assert_allclose(error, 0.0, atol=1e-9)
    policy = jax.nn.log_softmax(average / TEMPERATURE)
    np.testing.assert_allclose(policy, BEST, rtol=1e-5)
    # One off everywhere: a mean square of 1.
    error = mirror_descent.policy_error(average + 1.0, h, Q, config("averaging"))
    np.testing.assert_allclose(error, 1.0, rtol=1e-5)


ACTORS = ("md_direct", "md_indirect", "dual_averaging")


def test_beta_and_the_temperature_give_the_weight_of_the_kl():
    # beta 0.75 and tau 0.2: lambda = 0.2 * 0.75 / 0.25 = 0.6, whatever `kl_weight` is.
    given = config("direct")
    given = dataclasses.replace(given, averaging=0.75, temperature=0.2, kl_weight=9.0)
    assert given.weight_of_kl == pytest.approx(0.6) and given.beta == 0.75
    assert given.critic_weights == (given.weight_of_kl, 0.2)
    alike = dataclasses.replace(given, averaging=None, kl_weight=0.6)
    assert alike.weight_of_kl == 0.6 and alike.beta == pytest.approx(0.75)
    for actor in ("direct", "indirect", "averaging"):
        errors = [
            mirror_descent.policy_error(
                LOGITS, 2 * LOGITS, Q, dataclasses.replace(each, actor=actor)
            )
            for each in (given, alike)
        ]
        np.testing.assert_allclose(*errors, rtol=1e-5)
    assert dataclasses.replace(given, averaging=0.0).weight_of_kl == 0.0


@pytest.mark.parametrize("name", ACTORS)
def test_unregularised_critic_of_a_greedy_policy_is_that_of_dqn(name, key):
    agent = make(name, regularized_evaluation=False)
    dqn, batch = make("dqn", loss="squared"), batch_of()
    plain, state = dqn.init(key), agent.init(key)
    q = plain.params["q"]
    params = {"q": q, "policy": with_head(q, lambda leaf: 1e5 * leaf)}
    _, metrics = jax.jit(agent.update)(
        state._replace(params=params, target_params=params), batch
    )
    _, expected = jax.jit(dqn.update)(plain, batch)
    np.testing.assert_allclose(metrics["q_loss"], expected["q_loss"], rtol=1e-4)


def test_with_entropy_only_and_its_greedy_policy_it_is_soft_dqn(key):
    agent = make("dual_averaging", kl_weight=0.0, temperature=0.3)
    soft = make("soft_dqn", temperature=0.3, loss="squared")
    batch, plain, state = batch_of(), soft.init(key), agent.init(key)
    q = plain.params["q"]  # h = q: the policy is softmax(q / tau)
    params = {"q": q, "policy": q}
    _, metrics = jax.jit(agent.update)(
        state._replace(params=params, target_params=params), batch
    )
    _, expected = jax.jit(soft.update)(plain, batch)
    np.testing.assert_allclose(metrics["policy_loss"], 0.0, atol=1e-9)
    np.testing.assert_allclose(metrics["q_loss"], expected["q_loss"], rtol=1e-4)


@pytest.mark.parametrize("name", ACTORS)
def test_evaluation_can_be_regularised_or_not(name, key):
    losses = set()
    for regularized in (True, False):
        agent = make(name, regularized_evaluation=regularized, temperature=0.5)
        _, metrics = jax.jit(agent.update)(agent.init(key), batch_of())
        losses.add(float(metrics["q_loss"]))
    assert len(losses) == 2


def test_the_registered_variants_differ_in_the_actor_only():
    found = {name: make_config(name).actor for name in ACTORS}
    assert found == dict(zip(ACTORS, ("direct", "indirect", "averaging"), strict=True))
    plain = {dataclasses.replace(make_config(name), actor="direct") for name in ACTORS}
    assert plain == {mirror_descent.Config()}


def make_config(name):
    from agents import REGISTRY

    return REGISTRY[name].default()


@pytest.mark.parametrize(
    "settings",
    [
        {"actor": "averaging", "temperature": 0.0},
        {"actor": "indirect", "temperature": 0.0, "kl_weight": 0.0},
        {"temperature": -1.0},
        # Without entropy, no beta gives a KL penalty.
        {"actor": "direct", "temperature": 0.0, "averaging": 0.5},
    ],
)
def test_errors_name_weights_out_of_range(settings):
    with pytest.raises(ValueError, match="temperature must be"):
        mirror_descent.Config(**settings)


@pytest.mark.parametrize("averaging", [1.0, -0.25])
def test_beta_must_be_below_1(averaging):
    said = f"averaging must be at least 0 and below 1, got {averaging:g}"
    with pytest.raises(ValueError, match=said):
        mirror_descent.Config(actor="indirect", temperature=0.0, averaging=averaging)


def test_without_kl_nothing_is_averaged():
    for temperature in (0.0, 0.25):
        assert mirror_descent.Config(kl_weight=0, temperature=temperature).beta == 0
    assert mirror_descent.Config(averaging=0.0, temperature=0.0).weight_of_kl == 0


def test_mirror_descent_with_kl_accepts_zero_temperature():
    for actor in ("direct", "indirect"):
        mirror_descent.Config(actor=actor, temperature=0.0)


@pytest.mark.parametrize("actor", ["direct", "indirect", "averaging"])
def test_the_critics_target_has_the_policy_of_before_or_after_its_step(actor, key):
    """Algorithm 2 moves the critic first; its loss then does not see the new policy."""
    first, last = (
        make(
            "md_direct",
            actor=actor,
            kl_weight=KL_WEIGHT,
            temperature=TEMPERATURE,
            critic_first=critic_first,
            optimizer=FAST,
        )
        for critic_first in (True, False)
    )
    state, batch = first.init(key), batch_of()
    ours, metrics = jax.jit(first.update)(state, batch)
    theirs, other = jax.jit(last.update)(state, batch)
    # The policy's own step is the same either way, since it sees target copies only.
    assert leaves_equal(ours.params["policy"], theirs.params["policy"])
    assert float(metrics["policy_loss"]) == float(other["policy_loss"])
    # A critic that learns after the policy has the loss of one that learns first from
    # the state in which the policy has already moved.
    moved = state._replace(params={**state.params, "policy": theirs.params["policy"]})
    _, expected = jax.jit(first.update)(moved, batch)
    np.testing.assert_allclose(other["q_loss"], expected["q_loss"], rtol=1e-6)
    assert abs(float(metrics["q_loss"]) - float(other["q_loss"])) > 1e-6
