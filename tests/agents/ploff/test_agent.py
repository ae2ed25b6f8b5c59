"""PLOFF: its bonus by hand, its limit TD3, and a toy dataset that it stays near."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from agents import REGISTRY, td3
from agents.parts import continuous_networks as heads
from agents.parts import networks, sgd
from agents.parts.contract import Spec, Transition
from agents.ploff import agent as ploff
from agents.ploff import metric, neighbours
from agents.ploff.neighbours import Candidates
from tests.agents.cases import BATCH, BOX, batch_of, leaves_equal

SMALL = ploff.Config(network=networks.Config("mlp", (13,)), embedding_size=5)
TOY = Spec(
    observation=jax.ShapeDtypeStruct((3,), np.dtype(np.float32)),
    num_actions=0,
    action=jax.ShapeDtypeStruct((2,), np.dtype(np.float32)),
)
TOY_CONFIG = ploff.Config(
    network=networks.Config("mlp", (64, 64)),
    embedding_size=8,
    neighbours=20,
    discount=0.95,
    target_step_size=0.02,
    optimizer=sgd.Optimizer(1e-3, 1e-8),
    batch_size=128,
)


def batch_with(candidates=6, seed=0, unit=1.0):
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(2, BATCH, candidates, SMALL.embedding_size))
    extras = Candidates(*jnp.asarray(drawn, jnp.float32), jnp.full(BATCH, unit))
    return batch_of(BOX, seed)._replace(extras=extras)


def with_params_of(state, other):
    """A state of PLOFF with the critic, policy and targets of `other`."""
    return state._replace(
        params={**state.params, **other.params}, target_params=other.target_params
    )


def test_the_bonus_by_hand():
    apart = jnp.array([0.0, 1.0, 3.0])
    bonus = jax.vmap(lambda d: ploff.bonus(d, jnp.asarray(2.0), sharpness=1.5))(apart)
    np.testing.assert_allclose(bonus, np.exp([0.0, -0.75, -2.25]), rtol=1e-6)


def test_without_coefficients_it_is_td3(key):
    """On the same parameters, batches and keys, to the last bit."""
    same = {"network": SMALL.network}
    reference = td3.agent(td3.Config(**same), BOX)
    config = dataclasses.replace(SMALL, actor_coefficient=0.0, critic_coefficient=0.0)
    agent = ploff.agent(config, BOX)
    expected = reference.init(key)
    state = with_params_of(agent.init(key), expected)._replace(key=expected.key)
    update, td3_update = jax.jit(agent.update), jax.jit(reference.update)
    for seed in range(4):
        batch = batch_with(seed=seed)
        state, _ = update(state, batch)
        expected, _ = td3_update(expected, batch)
    for name in ("critic", "policy"):
        assert leaves_equal(state.params[name], expected.params[name]), name
    assert leaves_equal(state.target_params, expected.target_params)


@functools.cache
def compiled(config):
    agent = ploff.agent(config, BOX)
    return agent.init, jax.jit(agent.update)


def first_metrics(config, batch, key):
    init, update = compiled(config)
    _, metrics = update(init(key), batch)
    return {name: float(value) for name, value in metrics.items()}


def test_the_bonus_of_the_next_action_is_discounted_in_the_target(key):
    """If every bonus is 1, targets are those of rewards higher by gamma alpha_c."""
    config = dataclasses.replace(SMALL, critic_coefficient=0.7, bonus_sharpness=1e-12)
    without, batch = dataclasses.replace(config, critic_coefficient=0.0), batch_with()
    loss = first_metrics(config, batch, key)["critic_loss"]
    richer = batch._replace(reward=batch.reward + 0.99 * batch.discount * 0.7)
    assert loss == pytest.approx(first_metrics(without, richer, key)["critic_loss"])
    plain = first_metrics(without, batch, key)["critic_loss"]
    assert loss != pytest.approx(plain, rel=1e-3)


def test_the_critics_bonus_is_at_next_states_the_policys_at_states(key):
    batch = batch_with()
    now, later = batch.extras.embedding, batch.extras.next_embedding
    before = first_metrics(SMALL, batch, key)
    for changes, moved, still in [
        ({"embedding": now + 1.0}, "bonus", "critic_loss"),
        ({"next_embedding": later + 1.0}, "critic_loss", "bonus"),
    ]:
        other = batch._replace(extras=batch.extras._replace(**changes))
        after = first_metrics(SMALL, other, key)
        assert after[moved] != pytest.approx(before[moved], rel=1e-4)
        assert after[still] == before[still]


def test_the_policys_loss_by_hand(key):
    config = dataclasses.replace(SMALL, actor_coefficient=3.0, bonus_sharpness=0.4)
    agent, batch = ploff.agent(config, BOX), batch_with(unit=2.0)
    state = agent.init(key)
    following, metrics = jax.jit(agent.update)(state, batch)
    policy = heads.deterministic(config.network, BOX)
    action = policy.apply(state.params["policy"], batch.observation)
    critic = heads.critics(config.network, BOX)
    # The policy's loss sees the critic after its step.
    q = critic.apply(following.params["critic"], batch.observation, action)[:, 0]
    embed = metric.embeddings(config, BOX).pair.apply
    points = embed(state.params["metric"], batch.observation, action)
    apart = jnp.linalg.norm(points[:, None] - batch.extras.embedding, axis=-1).min(1)
    b = np.mean(np.exp(-0.4 * apart / 2.0))
    assert float(metrics["bonus"]) == pytest.approx(float(b), rel=1e-5)
    q = np.asarray(q)
    expected = -np.mean(q) - 3.0 * np.mean(np.abs(q)) * float(b)
    assert float(metrics["policy_loss"]) == pytest.approx(expected, rel=1e-5)


def test_the_bonus_has_a_gradient_through_the_nearest_candidate(key):
    """The gradient with respect to actions agrees with finite differences."""
    distance, batch = metric.make_distance(SMALL, BOX), batch_with()
    params = {"metric": metric.embeddings(SMALL, BOX).pair.init(key)}

    def bonuses(action):
        near = batch.extras.embedding
        return jnp.exp(-0.3 * distance(params, near, batch.observation, action))

    action = 0.5 * jnp.asarray(batch.action)
    gradient = jax.grad(lambda action: jnp.sum(bonuses(action)))(action)
    step, slopes = 2e-3, []
    for column in range(3):
        change = jnp.zeros_like(action).at[:, column].set(step)
        slopes.append((bonuses(action + change) - bonuses(action - change)) / 2 / step)
    assert np.abs(gradient).max() > 0.01
    # Except near a kink of the network or where the nearest candidate changes.
    close = np.isclose(gradient, np.stack(slopes, axis=-1), rtol=0.02, atol=3e-4)
    assert close.mean() > 0.9


def test_the_policy_ascends_the_bonus_and_the_metric_is_fixed(key):
    config = dataclasses.replace(
        SMALL, actor_coefficient=100.0, optimizer=sgd.Optimizer(3e-3, 1e-8)
    )
    agent, batch = ploff.agent(config, BOX), batch_with()
    state, update = agent.init(key), jax.jit(agent.update)
    assert set(state.target_params) == {"critic", "policy"}
    first, values = state, []
    for _ in range(200):
        state, metrics = update(state, batch)
        values.append(metrics["bonus"])
    assert values[-1] > values[0] + 0.03
    for name in ("metric", "state_metric"):
        assert leaves_equal(state.params[name], first.params[name])


def behaviour(observation):
    weights = np.array([[1.0, -0.5], [0.3, 0.8], [-0.6, 0.4]])
    return 0.6 * np.tanh(observation @ weights)


def toy_data(episodes=40, length=50):
    """A linear system under a noisy policy; the reward is linear in the action."""
    rng, rows = np.random.default_rng(0), []
    for _ in range(episodes):
        state = rng.normal(size=3)
        for _ in range(length):
            noise = 0.1 * rng.normal(size=2)
            action = np.clip(behaviour(state) + noise, -1, 1)
            push = np.array([action[0], action[1], action[0] - action[1]])
            following = 0.8 * state + 0.4 * push + 0.1 * rng.normal(size=3)
            reward = 0.3 * state[0] + 0.2 * action[0] - 0.1 * action[1]
            rows.append((state, action, reward, 1.0, following))
            state = following
    columns = [np.array(column, np.float32) for column in zip(*rows, strict=True)]
    return Transition(*columns)


def trained(agent, state, data, steps, tables=None):
    update, read = jax.jit(agent.update), jax.jit(neighbours.read)
    rng = np.random.default_rng(5)
    for _ in range(steps):
        rows = rng.integers(0, len(data.reward), TOY_CONFIG.batch_size)
        batch = Transition(*(leaf[rows] for leaf in data[:5]))
        if tables is not None:
            batch = batch._replace(extras=read(tables, rows))
        state, _ = update(state, batch)
    return state


@pytest.fixture(scope="module")
def toy():
    """The dataset, the networks that the first stage learned, and its tables."""
    data = toy_data()
    stage = metric.pretraining(TOY_CONFIG, TOY)
    params = trained(stage, stage.init(jax.random.key(0)), data, 500).params
    return data, params, ploff.agent(TOY_CONFIG, TOY).tables.build(params, data)


def test_logged_actions_are_nearest_then_shuffled_then_uniform_ones(toy):
    data, params, tables = toy
    rng = np.random.default_rng(1)
    rows = jnp.arange(len(data.reward))
    others = neighbours.candidates(tables, rows, itself=False)
    distance = jax.jit(metric.make_distance(TOY_CONFIG, TOY))
    uniform = rng.uniform(-1, 1, data.action.shape).astype(np.float32)
    logged, shuffled, uniform = (
        np.asarray(distance(params, others, data.observation, action))
        for action in (data.action, rng.permutation(data.action), uniform)
    )
    assert np.median(logged) < np.median(shuffled) < np.median(uniform)
    wins = stats.mannwhitneyu(uniform, logged).statistic
    assert wins / (len(logged) * len(uniform)) > 0.9
    own = neighbours.candidates(tables, rows)
    alone = distance(params, own, data.observation, data.action)
    np.testing.assert_allclose(alone, 0, atol=1e-2 * tables.unit)


@pytest.mark.slow
def test_td3_leaves_the_data_and_ploff_stays_near_it(toy):
    data, params, tables = toy
    agent = ploff.agent(TOY_CONFIG, TOY)
    state = agent.init(jax.random.key(3))
    state = trained(
        agent,
        state._replace(params={**state.params, **params}),
        data,
        600,
        tables,
    )
    plain = td3.Config(
        network=TOY_CONFIG.network,
        optimizer=TOY_CONFIG.optimizer,
        discount=TOY_CONFIG.discount,
        target_step_size=TOY_CONFIG.target_step_size,
    )
    reference = td3.agent(plain, TOY)
    left = trained(reference, reference.init(jax.random.key(3)), data, 600)
    policy = heads.deterministic(TOY_CONFIG.network, TOY)
    far = [
        np.mean(np.abs(policy.apply(one.params["policy"], data.observation) - logged))
        for logged in [behaviour(data.observation)]
        for one in (state, left)
    ]
    assert far[0] < 0.15 and far[1] > 0.6, far


def test_its_recipe_learns_a_metric_first_and_scales_rewards():
    recipe = REGISTRY["ploff"]
    assert recipe.dataset and recipe.actions == "continuous"
    assert recipe.dataset.scale_rewards
    stage = recipe.stages(SMALL, BOX)[0].agent
    learned = set(stage.init(jax.random.key(0)).params)
    agent = recipe.agent(SMALL, BOX)
    assert learned == {"metric", "state_metric"}
    assert learned < set(agent.init(jax.random.key(0)).params)
    assert stage.storage.batch_size == agent.storage.batch_size == 256
    with pytest.raises(TypeError, match="this stage has no policy"):
        stage.act({}, None, None, 0, True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pretraining_steps", 0),
        ("embedding_size", 0),
        ("uniform_actions", 0),
        ("neighbours", 0),
        ("batch_size", 0),
        ("actor_coefficient", -0.5),
        ("critic_coefficient", -0.5),
        ("bonus_sharpness", 0.0),
        ("discount", 1.5),
        ("policy_delay", 0),
    ],
)
def test_errors_name_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*, got {value:g}"):
        dataclasses.replace(SMALL, **{field: value})
