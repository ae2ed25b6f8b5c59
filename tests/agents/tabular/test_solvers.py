import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.double_precision import double_precision
from agents.tabular import maze as mazes
from agents.tabular import operators, solvers
from agents.tabular.mdp import MDP, garnet


def random_policy(key, mdp):
    return jax.nn.softmax(jax.random.normal(key, mdp.rewards.shape, "float64"))


def test_policy_evaluation_is_a_fixed_point_with_and_without_bonus(mdp, key):
    policy = random_policy(key, mdp)
    for bonus in (None, 0.3 * jnp.arange(7.0)):
        q = solvers.action_values(mdp, policy, bonus)
        again = operators.evaluation(mdp, jnp.log(policy), q, bonus)
        np.testing.assert_allclose(again, q, atol=1e-12)


def test_policy_evaluation_by_hand():
    # Two states that swap; one action: v0 = 1 + v1 / 2 and v1 = v0 / 2.
    swap = jnp.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    mdp = MDP(swap, jnp.array([[1.0], [0.0]]), jnp.asarray(0.5))
    values = solvers.state_values(mdp, jnp.ones((2, 1)))
    np.testing.assert_allclose(values, [4 / 3, 2 / 3])
    # d = (1 - gamma) (mu + gamma mu P + ...) from state 0.
    visits = solvers.occupancy(mdp, jnp.ones((2, 1)), jnp.array([1.0, 0.0]))
    np.testing.assert_allclose(visits, [2 / 3, 1 / 3])


def test_the_optimum_is_the_best_of_all_deterministic_policies():
    mdp = garnet(jax.random.key(3), 5, 3, 2, discount=0.8, rewarded=0.6)
    plans = jnp.array(list(itertools.product(range(3), repeat=5)))
    policies = jax.nn.one_hot(plans, 3)
    values = jax.vmap(lambda policy: solvers.state_values(mdp, policy))(policies)
    best = solvers.optimal_action_values(mdp)
    np.testing.assert_allclose(
        jnp.max(best, axis=-1), jnp.max(values, axis=0), atol=1e-12
    )


@pytest.mark.parametrize("temperature", [0.0, 1e-3, 0.2, 5.0])
def test_many_backups_reach_the_optimum(mdp, temperature):
    q = jnp.zeros_like(mdp.rewards)
    for _ in range(250):  # 0.85^250 < 1e-17
        soft = jax.nn.logsumexp(q / temperature, axis=-1) if temperature else 0
        q = mdp.backup(temperature * soft if temperature else jnp.max(q, axis=-1))
    best = solvers.optimal_action_values(mdp, temperature)
    np.testing.assert_allclose(best, q, rtol=1e-11)


def test_the_optimum_of_a_maze_whose_actions_tie(key):
    mdp = mazes.maze(mazes.random_tiles(key, 6, 5))
    best = solvers.optimal_action_values(mdp)
    np.testing.assert_allclose(mdp.backup(jnp.max(best, axis=-1)), best, atol=1e-9)
    assert best[0].max() > 0 and best.max() < 200


def test_entropy_shifts_the_optimum_by_at_most_tau_ln_a_over_1_minus_gamma(mdp):
    temperature = 0.1
    plain, soft = (solvers.optimal_action_values(mdp, t) for t in (0.0, temperature))
    shift = soft - plain
    assert (shift >= 0).all() and shift.max() > 0.1
    assert shift.max() <= temperature * np.log(3) * 0.85 / (1 - 0.85)


def test_solvers_work_in_single_precision():
    with double_precision(False):
        mdp = garnet(jax.random.key(5), 7, 3, 4, discount=0.85, rewarded=0.4)
        q = solvers.optimal_action_values(mdp)
        assert q.dtype == jnp.float32
        np.testing.assert_allclose(mdp.backup(jnp.max(q, axis=-1)), q, rtol=1e-5)


def test_the_policy_gradient_is_occupancy_times_value(mdp, key):
    start_key, policy_key = jax.random.split(key)
    start = jax.nn.softmax(jax.random.normal(start_key, (7,), "float64"))
    policy = random_policy(policy_key, mdp)
    objective = lambda policy: start @ solvers.state_values(mdp, policy)  # noqa: E731
    gradient = jax.grad(objective)(policy)
    visits = solvers.occupancy(mdp, policy, start)
    expected = visits[:, None] * solvers.action_values(mdp, policy) / (1 - 0.85)
    np.testing.assert_allclose(gradient, expected, rtol=1e-10)
    assert visits.sum() == pytest.approx(1)


def test_one_sample_is_unbiased_and_many_are_close(mdp, key):
    keys = jax.random.split(key, 4000)
    single = jax.vmap(lambda k: operators.sampled(mdp)(k).transitions)(keys)
    assert set(np.unique(single)) == {0.0, 1.0}
    np.testing.assert_allclose(single.mean(0), mdp.transitions, atol=0.05)
    many = operators.sampled(mdp, 5000)(key)
    np.testing.assert_allclose(many.transitions, mdp.transitions, atol=0.05)
    np.testing.assert_allclose(many.transitions.sum(-1), 1, atol=1e-12)
    assert ((many.transitions > 0) <= (mdp.transitions > 0)).all()


def test_transitions_of_a_bandit_are_sampled(key):
    bandit = MDP(jnp.ones((1, 3, 1)), jnp.arange(3.0)[None], jnp.array(0.5))
    np.testing.assert_array_equal(operators.sampled(bandit, 2)(key).transitions, 1)


def test_both_precisions_see_the_same_noise(mdp, key):
    double = operators.next_states(key, mdp, 11)
    single = jax.tree.map(lambda leaf: leaf.astype("float32"), mdp)
    np.testing.assert_array_equal(operators.next_states(key, single, 11), double)


def test_additive_errors_have_their_scale_and_no_bias(mdp, key):
    keys = jax.random.split(key, 3000)
    noisy = jax.vmap(lambda k: operators.perturbed(mdp, 0.3)(k).rewards)(keys)
    np.testing.assert_allclose(noisy.mean(0), mdp.rewards, atol=0.03)
    np.testing.assert_allclose(noisy.std(0), 0.3, rtol=0.1)


def test_greediness_and_bonus_by_hand():
    q = jnp.array([[1.0, 3.0, 3.0], [0.0, -1.0, -2.0]])
    first = jnp.exp(operators.greedy(q))
    np.testing.assert_array_equal(first, [[0, 1, 0], [1, 0, 0]])
    mu = jnp.array([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]])
    pi = jnp.exp(operators.greedy(q, jnp.log(mu), kl_weight=2.0, entropy_weight=1.0))
    expected = mu ** (2 / 3) * jnp.exp(q / 3)
    np.testing.assert_allclose(pi, expected / expected.sum(-1, keepdims=True))
    found = operators.bonus(
        jnp.log(mu), jnp.log(jnp.full((2, 3), 1 / 3)), kl_weight=2.0, entropy_weight=0.5
    )
    entropies = -(mu * jnp.log(mu)).sum(-1)
    np.testing.assert_allclose(found, -2 * (np.log(3) - entropies) + 0.5 * entropies)


def test_the_greedy_policy_maximises_the_regularised_objective(mdp, q, key):
    mu = random_policy(key, mdp)
    weights = {"kl_weight": 0.7, "entropy_weight": 0.4}

    def objective(log_policy):
        values = (jnp.exp(log_policy) * q).sum(-1)
        return values + operators.bonus(log_policy, jnp.log(mu), **weights)

    best = objective(operators.greedy(q, jnp.log(mu), **weights))
    for other_key in jax.random.split(key, 50):
        other = objective(jnp.log(random_policy(other_key, mdp)))
        assert (other < best).all()


def test_next_states_have_the_probabilities_of_their_pairs(mdp, key):
    drawn = np.asarray(operators.next_states(key, mdp, 5_000))
    assert drawn.shape == (5_000, 7, 3)
    shares = (drawn[..., None] == np.arange(7)).mean(axis=0)
    np.testing.assert_allclose(shares, mdp.transitions, atol=0.05)
