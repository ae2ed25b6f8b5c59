"""Deep value iteration with a generative model: its terms by hand; it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from agents.tabular import fitted, mdp, operators
from agents.tabular import maze as mazes
from agents.tabular.fitted import Config
from tests.marks import quick

SCALE = jnp.log(2.0)


def test_learned_weights_by_hand():
    # 2 / (0.9 + 0.1) = 2, and 2 / (9.9 + 0.1) = 0.2, below the least of 0.25.
    variance = jnp.array([[0.9, 9.9]])
    weights = fitted.learned_weights(variance, SCALE, Config(weight_floor=0.25))
    np.testing.assert_allclose(weights, [[2.0, 0.25]], rtol=1e-6)


def test_the_loss_of_the_scale_by_hand():
    # Weights 2 / 1 and 2 / 4.5 have the mean 11 / 9.
    variance = jnp.array([[0.9, 4.4]])
    loss, gradient = jax.value_and_grad(fitted.scale_loss)(SCALE, variance, Config())
    np.testing.assert_allclose(loss, (2 / 9) ** 2, rtol=1e-5)
    # d/d ln eta: 2 (2 / 9) (11 / 9)
    np.testing.assert_allclose(gradient, 44 / 81, rtol=1e-5)


def two_states():
    """Two states and three actions, rewards of 1 to 6, gamma 0.9."""
    transitions = jnp.full((2, 3, 2), 0.5)
    rewards = jnp.arange(1.0, 7.0).reshape(2, 3)
    return mdp.MDP(transitions, rewards, jnp.asarray(0.9))


def test_targets_by_hand():
    q = jnp.array([[1.0, 3.0, 0.0], [2.0, 0.0, 2.0]])
    next_states = jnp.array([[[0, 1, 1], [0, 0, 1]], [[1, 1, 1], [1, 1, 1]]])
    config = Config(discount=0.8)  # the process has 0.9
    found = fitted.targets(two_states(), q, next_states, config)
    best = np.array([3.0, 2.0])[next_states]
    np.testing.assert_allclose(
        found, np.arange(1, 7).reshape(2, 3) + 0.8 * best, rtol=1e-6
    )
    # tau 1: V(1) = ln(2 e^2 + 1) = 2.758624; ln pi = -0.758624, and -2.758624, clipped.
    config = Config(
        temperature=1.0, munchausen=0.5, log_policy_floor=-1.0, discount=0.8
    )
    found = fitted.targets(two_states(), q, next_states, config)
    bonus = 0.5 * np.array([-0.758624, -1.0, -0.758624])
    np.testing.assert_allclose(
        found[1, 1], np.array([4, 5, 6]) + 0.8 * 2.758624 + bonus, rtol=1e-5
    )


def test_ideal_weights_by_hand():
    # v* is 0 or 10 with probability 1/2: variance 25, H = 199.
    best = jnp.array([[0.0, -3.0, 0.0], [10.0, 1.0, 2.0]])
    weights = fitted.ideal_weights(two_states(), best)
    np.testing.assert_allclose(weights, np.full((2, 3), 199 / 224), rtol=1e-5)


def test_the_gap_of_a_policy_that_shares_equal_maxima():
    """The sums of rewards of the first `STEPS` steps, state by state."""
    process = two_states()
    best = fitted.optimal_action_values(process)
    # Greedily 3 and 6 in turns with probability 1/2: 4.5 a step after the first.
    discounted = 0.9 * (1 - 0.9 ** (fitted.STEPS - 1)) / 0.1
    np.testing.assert_allclose(
        best, np.arange(1, 7).reshape(2, 3) + 4.5 * discounted, rtol=1e-5
    )
    # Equal maxima in state 0 alone: (1 + 3) / 2 and 6, i.e. 4 a step instead of 4.5.
    q = jnp.array([[7.0, 0.0, 7.0], [0.0, 0.0, 1.0]])
    gap = fitted.greedy_gap(process, best, q)
    expected = 0.5 * discounted / (6 + 4.5 * discounted)
    np.testing.assert_allclose(gap, expected, rtol=1e-4)


@pytest.mark.parametrize("seed, gap", [(1, 0.9332893), (2, 0.9367390), (7, 0.9391997)])
def test_mazes_and_gaps_are_those_of_the_authors_results(seed, gap):
    """The first gap of the results of the authors' code in three of its mazes."""
    process = mazes.maze(mazes.reference_tiles(seed))
    best = fitted.optimal_action_values(process)
    found = fitted.greedy_gap(process, best, jnp.zeros_like(process.rewards))
    np.testing.assert_allclose(found, gap, atol=2e-6)


def small_maze():
    return mazes.maze(mazes.reference_tiles(1, size=4, pitfalls=1), discount=0.9)


@pytest.mark.parametrize("weighting", quick(["learned"], ["none", "ideal", "learned"]))
def test_a_fit_of_all_pairs_finds_the_way(weighting, key):
    process = small_maze()
    observations = jax.random.normal(key, (16, 11))
    config = Config(
        weighting,
        temperature=1e-3,
        munchausen=0.9,
        discount=0.9,
        samples=7,
        gradient_steps=30,
        hidden=(23,),
        learning_rate=1e-2,
    )
    params = fitted.first_parameters(key, 11, 5, config)
    settings = {"config": config, "iterations": 60, "points": 3}
    run = fitted.gaps(key, process, observations, params, **settings)
    found = [gap for gap, _ in run]
    assert [gap.shape for gap in found] == [()] * 4
    assert found[0] > 0.3 and found[-1] < 0.1


def test_runs_at_once_are_those_alone_and_go_on_from_a_state(key):
    process = small_maze()
    keys = jax.random.split(key, 3)
    config = Config("learned", samples=2, gradient_steps=3, hidden=(7,))
    made = [
        (
            key,
            process,
            jax.random.normal(key, (16, 5)),
            fitted.first_parameters(key, 5, 5, config),
        )
        for key in keys
    ]
    settings = {"config": config, "iterations": 4, "points": 2}
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *made)

    def found(inputs, **more):
        return jnp.stack([gap for gap, _ in fitted.gaps(*inputs, **settings, **more)])

    whole = found(together)
    assert whole.shape == (3, 3)
    alone = jnp.stack([found(one) for one in made])
    np.testing.assert_allclose(whole, alone.T, rtol=1e-4)
    for inputs, gaps in ((together, whole), (made[1], alone[1])):
        for point, (_, state) in enumerate(fitted.gaps(*inputs, **settings)):
            if point < 2:
                rest = found(inputs, after=(point, state))
                np.testing.assert_array_equal(rest, gaps[point + 1 :])


def test_targets_and_variances_are_of_the_iterations_before(key):
    process, observations = small_maze(), jax.random.normal(key, (16, 5))
    config = Config("learned", hidden=(3,), gradient_steps=2)
    before = fitted.start(fitted.first_parameters(key, 5, 5, config), config)
    ideal = jnp.ones_like(process.rewards)
    after = fitted.iterate(key, before, process, observations, ideal, config)
    for old, new in zip(
        jax.tree.leaves(before.params["q"]), jax.tree.leaves(after.target), strict=True
    ):
        np.testing.assert_array_equal(old, new)
    # ln eta starts at 1. The first weights are e / 1.1, more than 1, so it falls by its
    # rate in each step; Adam's first steps have that length.
    moved = before.params["scale"] - after.params["scale"]
    np.testing.assert_allclose(moved, 2 * 5e-3, rtol=1e-2)


def test_points_do_not_change_a_run(key):
    """Each iteration has its own key, wherever the gaps are computed."""
    process, config = small_maze(), Config("learned", gradient_steps=3, hidden=(7,))
    observations = jax.random.normal(key, (16, 5))
    params = fitted.first_parameters(key, 5, 5, config)
    once, often = (
        list(
            fitted.gaps(
                key,
                process,
                observations,
                params,
                config=config,
                iterations=4,
                points=points,
            )
        )
        for points in (1, 4)
    )
    for one, other in zip(
        jax.tree.leaves(once[-1]), jax.tree.leaves(often[-1]), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_gradients_of_an_iteration_by_hand(key):
    """Adam's first moments after one step are a tenth of the gradients."""
    process, observations = small_maze(), jax.random.normal(key, (16, 5))
    config = Config(
        "learned",
        gradient_steps=1,
        hidden=(3,),
        variance_rate=1.0,  # so large that the moved network would show
        scale_rate=0.5,
        weight_floor=1e-6,
    )
    state = fitted.start(fitted.first_parameters(key, 5, 5, config), config)

    def random(params, seed):  # the last layers start at 0
        leaves, structure = jax.tree.flatten(params)
        keys = jax.random.split(jax.random.key(seed), len(leaves))
        return jax.tree.unflatten(
            structure,
            [jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)],
        )

    old, q, variance = (random(state.target, seed) for seed in (1, 2, 3))
    params = {**state.params, "q": q, "variance": variance}
    state = state._replace(params=params, target=old)
    ideal = jnp.ones_like(process.rewards)
    after = fitted.iterate(key, state, process, observations, ideal, config)

    def outputs(params):
        return fitted.apply(params, observations, 5, config)

    drawn = operators.next_states(key, process, config.samples)
    value, target = outputs(q), fitted.targets(process, outputs(q), drawn, config)
    earlier = fitted.targets(process, outputs(old), drawn, config)
    seen = jnp.square(earlier - value[None]).mean(axis=0)
    weights = jnp.exp(after.params["scale"]) / (jnp.exp(outputs(variance)) + 0.1)

    def variance_loss(params):
        error = jnp.abs(jnp.exp(outputs(params)) - seen)
        return jnp.mean(jnp.where(error <= 1, error**2 / 2, error - 0.5))

    def q_loss(params):
        return jnp.mean(weights * (outputs(params) - target.mean(axis=0)) ** 2)

    for name, loss in (("variance", variance_loss), ("q", q_loss)):
        found = optax.tree_utils.tree_get(after.opt_state[name], "mu")
        for one, other in zip(
            jax.tree.leaves(found),
            jax.tree.leaves(jax.grad(loss)(params[name])),
            strict=True,
        ):
            np.testing.assert_allclose(one, 0.1 * other, rtol=1e-3, atol=1e-5)
