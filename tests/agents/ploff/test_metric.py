"""The learned pseudometric: a pseudometric, by hand, and against the exact one."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from agents.parts import networks, sgd
from agents.parts.contract import Spec, Transition
from agents.ploff import agent as ploff
from agents.ploff import metric
from agents.tabular.mdp import MDP
from agents.tabular.pseudometric import iterate
from tests.agents.cases import BOX, IMAGES, VECTORS, batch_of

SMALL = ploff.Config(network=networks.Config("mlp", (13,)), embedding_size=5)
STATES, ACTIONS, GAMMA = 9, 3, 0.8
CHAIN = Spec(
    observation=jax.ShapeDtypeStruct((STATES,), np.dtype(np.float32)),
    num_actions=0,
    action=jax.ShapeDtypeStruct((1,), np.dtype(np.float32)),
)


def chain():
    """Nine states in a row; each third of the box steps back, stays or steps on."""
    states = np.arange(STATES)
    following = np.clip(states[:, None] + np.array([-1, 0, 1]), 0, STATES - 1)
    paid = np.array([0.0, 0.1, 0.2, 0.15, 0.3, 0.5, 0.4, 0.8, 1.0])
    rewards = paid[:, None] * np.array([1.0, 0.4, 0.7])
    to = jax.nn.one_hot(jnp.asarray(following), STATES)
    return MDP(to, jnp.asarray(rewards, jnp.float32), jnp.float32(GAMMA))


def chain_batches(mdp, size, seed):
    """Batches of uniform states and actions; an action's third of the box decides."""
    rng = np.random.default_rng(seed)
    following = np.argmax(mdp.transitions, axis=-1)
    one_hot = np.eye(STATES, dtype=np.float32)
    rewards = np.asarray(mdp.rewards)
    while True:
        state = rng.integers(0, STATES, size)
        action = rng.uniform(-1, 1, (size, 1)).astype(np.float32)
        third = np.minimum((action[:, 0] + 1) * 1.5, 2).astype(int)
        yield Transition(
            one_hot[state],
            action,
            rewards[state, third],
            np.ones(size, np.float32),
            one_hot[following[state, third]],
        )


@pytest.mark.slow
def test_the_learned_metric_is_the_exact_fixed_point(key):
    mdp = chain()
    config = ploff.Config(
        network=networks.Config("mlp", (64, 64)),
        embedding_size=16,
        discount=GAMMA,
        target_step_size=0.05,
        optimizer=sgd.Optimizer(1e-3, 1e-8),
    )
    stage = metric.pretraining(config, CHAIN)
    state, update, residuals = stage.init(key), jax.jit(stage.update), []
    batches = chain_batches(mdp, 256, seed=1)
    for _, batch in zip(range(1_000), batches, strict=False):
        state, metrics = update(state, batch)
        residuals.append(float(metrics["metric_residual"]))
    both = metric.embeddings(config, CHAIN)
    centres = np.tile(np.array([[-2 / 3], [0.0], [2 / 3]], np.float32), (STATES, 1))
    observations = np.repeat(np.eye(STATES, dtype=np.float32), ACTIONS, axis=0)
    embedding = both.pair.apply(state.params["metric"], observations, centres)
    learned = metric.distance(
        jnp.repeat(embedding, len(centres), axis=0),
        jnp.tile(embedding, (len(centres), 1)),
    )
    exact = iterate(mdp, jnp.zeros((STATES, ACTIONS) * 2), 100).ravel()
    assert stats.spearmanr(learned, exact).statistic > 0.98
    assert np.mean(np.abs(learned - exact)) < 0.1 * np.mean(exact)
    assert np.mean(residuals[-50:]) < 0.5 * np.mean(residuals[:20])


def test_distances_are_a_pseudometric(key):
    both = metric.embeddings(SMALL, BOX)
    params = both.pair.init(key)
    points = []
    for seed in range(3):
        batch = batch_of(BOX, seed)
        points.append(both.pair.apply(params, batch.observation, batch.action))
    a, b, c = points
    assert a.shape == (11, 5)
    np.testing.assert_array_equal(metric.distance(a, a), 0)
    np.testing.assert_array_equal(metric.distance(a, b), metric.distance(b, a))
    direct, over = metric.distance(a, c), metric.distance(a, b)
    assert np.all(direct <= over + metric.distance(b, c) + 1e-6)
    assert direct.min() > 0


def test_gradients_of_distances():
    left, right = jnp.array([3.0, 0.0]), jnp.array([0.0, 4.0])
    gradient = jax.grad(metric.distance)
    np.testing.assert_allclose(metric.distance(left, right), 5.0)
    np.testing.assert_allclose(gradient(left, right), [0.6, -0.8], rtol=1e-6)
    np.testing.assert_array_equal(gradient(left, left), [0, 0])


def test_the_distance_is_that_to_the_nearest_candidate():
    candidates = jnp.array([[5.0, 5.0], [1.0, 2.0], [-4.0, 0.0]])
    embedding = jnp.array([1.0, 0.5])
    nearest = metric.distance_to_nearest
    np.testing.assert_allclose(nearest(embedding, candidates), 1.5)
    gradients = jax.grad(nearest, argnums=(0, 1))(embedding, candidates)
    np.testing.assert_allclose(gradients[0], [0.0, -1.0])
    np.testing.assert_allclose(gradients[1], [[0, 0], [0.0, 1.0], [0, 0]])
    onto = jax.grad(nearest)(candidates[1], candidates)
    np.testing.assert_array_equal(onto, [0, 0])


def pair_error(apart=0.7, r=(0.9, 0.2), discount=(0.9, 0.9), apart_t=2.0):
    return metric.pair_error(
        jnp.asarray(apart), jnp.array(r), jnp.array(discount), jnp.asarray(apart_t)
    )


@pytest.mark.parametrize(
    ("discount", "expected"),
    # |0.9 - 0.2| + 0.9 x 2 - 0.7; without the 1.8 if one or both terminated.
    [((0.9, 0.9), 1.8), ((0.9, 0.0), 0.0), ((0.0, 0.9), 0.0), ((0.0, 0.0), 0.0)],
)
def test_pair_error_by_hand(discount, expected):
    np.testing.assert_allclose(pair_error(discount=discount), expected, atol=1e-6)
    swapped = pair_error(r=(0.2, 0.9), discount=discount[::-1])
    np.testing.assert_allclose(swapped, expected, atol=1e-6)


def test_state_error_by_hand():
    error = metric.state_error(jnp.asarray(0.5), jnp.array([1.0, 2.0, 6.0]))
    np.testing.assert_allclose(error, 2.5)


def test_no_gradient_through_targets():
    gradients = jax.grad(metric.pair_error, argnums=(0, 1, 3))(
        jnp.asarray(0.7), jnp.array([0.9, 0.2]), jnp.array([0.9, 0.9]), jnp.asarray(2.0)
    )
    np.testing.assert_array_equal(jnp.hstack(gradients), [-1, 0, 0, 0])
    gradients = jax.grad(metric.state_error, argnums=(0, 1))(
        jnp.asarray(0.5), jnp.array([1.0, 2.0])
    )
    np.testing.assert_array_equal(jnp.hstack(gradients), [-1, 0, 0])


def test_both_losses_by_hand(key):
    """Uses linear embeddings, whose losses are easy to compute by hand."""

    def pair(params, observation, action):
        return params * (observation[:, :1] + 10.0 * action)

    def state(params, observation):
        return params * observation[:, :1]

    nothing = networks.Network(lambda key: None, pair)
    both = metric.Embeddings(nothing, nothing._replace(apply=state))
    losses = metric.losses(dataclasses.replace(SMALL, discount=0.5), both, 1)
    batch = Transition(
        observation=jnp.array([[1.0], [3.0], [8.0]]),
        action=jnp.array([[0.1], [0.2], [-0.4]]),
        reward=jnp.array([0.0, 2.0, 7.0]),
        discount=jnp.array([1.0, 1.0, 0.0]),
        next_observation=jnp.array([[4.0], [5.0], [9.0]]),
    )
    params = {"metric": jnp.float32(1.0), "state_metric": jnp.float32(3.0)}
    targets = {"metric": jnp.float32(50.0), "state_metric": jnp.float32(2.0)}
    # Rows and the rows before: (0, 2), (1, 0), (2, 1). Embeddings 2, 5, 4; next 8, 10.
    errors = np.array([7.0 - 2.0, 2.0 + 0.5 * 2.0 - 3.0, 5.0 - 1.0])
    loss, metrics = losses["metric"](params, targets, batch, key)
    np.testing.assert_allclose(loss, np.mean(errors**2), rtol=1e-6)
    np.testing.assert_allclose(metrics["metric_residual"], 3.0, rtol=1e-6)
    np.testing.assert_allclose(metrics["metric_distance"], 2.0, rtol=1e-6)
    # With the same action in both states: targets 7, 2, 5; predictions 3 times these.
    loss, metrics = losses["state_metric"](params, targets, batch, key)
    np.testing.assert_allclose(loss, 4 * (49 + 4 + 25) / 3, rtol=1e-5)
    np.testing.assert_allclose(metrics["state_metric_residual"], 28 / 3, rtol=1e-5)


def test_each_observation_gets_its_own_actions(key):
    both = metric.embeddings(SMALL, BOX)
    params, batch = both.pair.init(key), batch_of(BOX)
    actions = jax.random.uniform(key, (11, 2, 3), minval=-1.0)
    embedding = metric.embed_each(both, params, batch.observation, actions)
    for place in range(2):
        alone = both.pair.apply(params, batch.observation, actions[:, place])
        np.testing.assert_allclose(embedding[:, place], alone, atol=1e-6)


def test_embeddings_are_for_vectors_and_continuous_actions():
    images = dataclasses.replace(SMALL, network=networks.Config("dqn2013", (5,)))
    with pytest.raises(ValueError, match=r"network\.torso must be mlp, .*'dqn2013'"):
        metric.embeddings(images, BOX)
    for spec in (VECTORS, IMAGES):
        with pytest.raises(ValueError, match="needs continuous actions"):
            metric.embeddings(SMALL, spec)


def test_bytes_are_embedded_as_their_255th(key):
    both = metric.embeddings(SMALL, BOX)
    params, batch = both.pair.init(key), batch_of(BOX)
    seen = np.arange(batch.observation.size, dtype=np.uint8)
    seen = seen.reshape(batch.observation.shape)
    found, wanted = (
        both.pair.apply(params, each, batch.action)
        for each in (seen, seen.astype(np.float32) / 255)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
