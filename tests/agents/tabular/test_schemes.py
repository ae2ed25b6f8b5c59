"""The identities of the papers, to 1e-8, under one noise sequence."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.tabular import operators, schemes, solvers
from agents.tabular.schemes import dual_averaging, mirror_descent

ITERATIONS = 40
close = functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-8)


def run(scheme, mdp, key, q, model=operators.sampled, iterations=ITERATIONS):
    return schemes.run(scheme, model(mdp), key, iterations, q)


def continuous(mdp):
    """Noise without ties between actions, for limits whose policies are greedy.

    Samples of one state's reward tie: equal next states give equal values.
    """
    return operators.perturbed(mdp, 0.3)


def same_policies(one, other):
    close(jnp.exp(one.log_policy), jnp.exp(other.log_policy))
    assert np.ptp(np.asarray(jnp.exp(one.log_policy)), axis=0).max() > 1e-3  # they move


@pytest.mark.parametrize("model", [operators.sampled, operators.exact])
def test_munchausen_is_mirror_descent_is_dual_averaging(mdp, key, q, model):
    alpha, tau = 0.9, 0.3
    weights = (alpha * tau, (1 - alpha) * tau)
    uniform = jnp.full_like(q, -jnp.log(3.0))
    m = run(schemes.munchausen(alpha, tau), mdp, key, q, model)
    # q' = q - alpha tau ln pi, also at the start (Theorem 1).
    shifted = q - alpha * tau * uniform
    md = run(mirror_descent(*weights), mdp, key, shifted, model)
    same_policies(m, md)
    close(m.q - alpha * tau * m.log_policy, md.q)
    # MD starts from a uniform policy, and so does DA: h_{-1} = 0.
    da = run(dual_averaging(*weights), mdp, key, shifted, model)
    same_policies(md, da)
    close(md.q, da.q)


def test_without_the_log_policy_munchausen_is_soft_value_iteration(mdp, key, q):
    same_policies(
        run(schemes.munchausen(0.0, 0.3), mdp, key, q),
        run(mirror_descent(0.0, 0.3), mdp, key, q),
    )


@pytest.mark.parametrize(
    ("weights", "evaluations", "regularised"),
    [
        ((0.5, 0.0), 1, True),
        ((0.5, 0.0), 3, False),
        ((0.5, 0.0), None, True),
        ((0.4, 0.1), 1, False),
        ((0.4, 0.1), 3, True),
        ((0.4, 0.1), None, False),
    ],
)
def test_mirror_descent_is_dual_averaging(
    mdp, key, q, weights, evaluations, regularised
):
    kind = {"evaluations": evaluations, "regularised": regularised}
    md = run(mirror_descent(*weights, **kind), mdp, key, q)
    da = run(dual_averaging(*weights, **kind), mdp, key, q)
    same_policies(md, da)
    close(md.q, da.q)


def test_evaluations_and_regularisation_matter(mdp, key, q):
    variants = [
        run(mirror_descent(0.4, 0.1, evaluations=m, regularised=w), mdp, key, q).q[-1]
        for m, w in ((1, True), (1, False), (3, True), (None, True))
    ]
    for rank, one in enumerate(variants):
        assert all(jnp.abs(one - other).max() > 1e-2 for other in variants[:rank])


def test_mirror_descent_with_many_evaluations_is_policy_iteration(mdp, key, q):
    many = mirror_descent(0.0, 0.0, evaluations=150)  # 0.85^150 < 1e-10
    one, other = (
        run(scheme, mdp, key, q, operators.exact, iterations=4)
        for scheme in (many, schemes.policy_iteration())
    )
    close(one.q, other.q)
    close(other.q[-1], solvers.optimal_action_values(mdp))


def test_momentum_is_unregularised_dual_averaging_without_weights(mdp, key, q):
    movi = run(schemes.momentum(), mdp, key, q, continuous)
    same_policies(
        movi, run(dual_averaging(0, 0, regularised=False), mdp, key, q, continuous)
    )
    # It is also the limit of small weights. Mirror descent without any forgets.
    small = run(dual_averaging(1e-11, 0.0, regularised=False), mdp, key, q, continuous)
    same_policies(movi, small)
    close(movi.q, small.q)
    mirror = run(mirror_descent(0.0, 0.0, regularised=False), mdp, key, q, continuous)
    assert jnp.abs(mirror.q - movi.q).max() > 0.1


def test_speedy_q_learning_is_the_limit_of_regularised_dual_averaging(mdp, key, q):
    # h_k averages q_0 .. q_k; SQL forgets its start, so it is h from q_0 = T Q_0 on.
    keys = jax.random.split(key, ITERATIONS)
    model = continuous(mdp)
    scheme = schemes.speedy_q_learning()
    state = scheme.init(q)
    limit = dual_averaging(1e-11, 0.0)
    average = limit.init(model(keys[0]).backup(jnp.max(q, axis=-1)))
    step, limit_step = jax.jit(scheme.step), jax.jit(limit.step)
    state = step(state, model(keys[0]))
    for iteration_key in keys[1:]:
        noisy = model(iteration_key)
        state, average = step(state, noisy), limit_step(average, noisy)
        close(state.previous, average.average)
        close(jnp.exp(state.log_policy), jnp.exp(average.log_policy))


def test_mirror_descent_without_weights_is_value_iteration(mdp, key, q):
    avi = run(mirror_descent(0.0, 0.0), mdp, key, q, continuous)
    for k in (1, 2):  # the definition, by hand
        noisy = continuous(mdp)(jax.random.split(key, ITERATIONS)[k])
        close(avi.q[k], noisy.backup(jnp.max(avi.q[k - 1], axis=-1)))


def test_politex_is_dual_averaging_is_mirror_descent_on_exact_values(mdp, key, q):
    eta = 0.8
    politex = run(schemes.politex(eta), mdp, key, q, continuous)
    for scheme in (dual_averaging, mirror_descent):
        plain = scheme(1 / eta, 0.0, evaluations=None, regularised=False)
        same_policies(politex, run(plain, mdp, key, q, continuous))


def test_mirror_descent_is_politex_given_the_same_values(key):
    # The two updates alone: the q_j are arbitrary, no MDP is involved.
    eta, q = 0.8, jax.random.normal(key, (9, 5, 4), "float64")
    mirror = jnp.full((5, 4), -jnp.log(4.0))
    for k in range(9):
        mirror = operators.greedy(q[k], mirror, kl_weight=1 / eta)
        dual = jax.nn.log_softmax(eta * jnp.sum(q[: k + 1], axis=0))
        np.testing.assert_allclose(mirror, dual, rtol=0, atol=1e-10)


def test_regularised_iterations_find_their_optimum_without_noise(mdp, key, q):
    tau = 0.2
    found = run(mirror_descent(0.3, tau), mdp, key, q, operators.exact, 300)
    close(found.q[-1], solvers.optimal_action_values(mdp, tau))
    found = run(schemes.value_iteration(), mdp, key, q, operators.exact, 150)
    close(found.q[-1], solvers.optimal_action_values(mdp))


def test_averaging_beats_noise_and_value_iteration_does_not(mdp, key, q):
    best = solvers.optimal_action_values(mdp)

    def error(scheme):
        log_policy = run(scheme, mdp, key, q, iterations=400).log_policy[-100:]
        values = jax.vmap(solvers.action_values, (None, 0))(mdp, jnp.exp(log_policy))
        return jnp.mean(jnp.abs(best[None] - values))

    avi = error(schemes.value_iteration())
    for scheme in (
        schemes.momentum(),
        schemes.speedy_q_learning(),
        dual_averaging(1.0, 0.0),
    ):
        assert error(scheme) < avi / 5


def test_schemes_run_in_a_batch_of_mdps_and_seeds(key):
    from agents.tabular.mdp import garnet

    keys = jax.random.split(key, 3)
    mdps = jax.vmap(lambda k: garnet(k, 5, 2, 3, discount=0.9))(keys)
    scheme = dual_averaging(0.1, 0.0)
    one = lambda mdp, k: run(scheme, mdp, k, jnp.zeros((5, 2)), iterations=6)  # noqa: E731
    batch = jax.vmap(jax.vmap(one, (None, 0)), (0, None))(mdps, keys)
    assert batch.q.shape == (3, 3, 6, 5, 2)
    alone = one(jax.tree.map(lambda leaf: leaf[1], mdps), keys[2])
    close(batch.q[1, 2], alone.q)
    assert len(np.unique(np.asarray(batch.q[..., -1, 0, 0]))) > 3


def test_a_kl_weight_needs_a_reference(q):
    with pytest.raises(AssertionError, match="reference"):
        operators.greedy(q, kl_weight=1.0)
    with pytest.raises(AssertionError, match="reference"):
        operators.bonus(q, kl_weight=1.0)
