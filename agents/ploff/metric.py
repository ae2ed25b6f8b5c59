"""Distances between state-action pairs, as norms of differences of embeddings.

The pair embedding is Phi, the state embedding Psi. A norm of a difference is symmetric,
zero between equals and obeys the triangle inequality, whatever the networks are. Not
every pseudometric is such a norm: the part without a Euclidean embedding stays in the
residuals.

Source: Dadashi et al., "Offline Reinforcement Learning with Pseudometric Learning",
ICML 2021, https://arxiv.org/abs/2103.01948.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, cast

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from agents.parts import checks, layers, networks, sgd
from agents.parts.continuous_networks import action_size
from agents.parts.contract import (
    Agent,
    Metrics,
    NetworkParams,
    Params,
    Spec,
    Storage,
    Transition,
    never_acts,
)
from agents.parts.networks import Network, Torso, make_torso, scaled


class Settings(Protocol):
    """Fields that the configuration of a paper with a pseudometric has."""

    @property
    def embedding_size(self) -> int:
        """E, the size of Phi and Psi."""

    @property
    def uniform_actions(self) -> int:
        """U, the number of actions drawn for each pair of states."""

    @property
    def discount(self) -> float:
        """Gamma."""

    @property
    def target_step_size(self) -> float:
        """Step size of the target copies."""

    @property
    def network(self) -> networks.Config:
        """Shape of both embeddings."""

    @property
    def optimizer(self) -> sgd.Optimizer:
        """Optimiser of both embeddings, with a separate state for each."""

    @property
    def batch_size(self) -> int:
        """Transitions per update."""


class Embeddings(NamedTuple):
    """Both networks; E is the size of an embedding.

    Attributes:
        pair: Phi, its `apply` `(params, observation [B, ...], action [B, D]) ->
            [B, E]`.
        state: Psi, its `apply` `(params, observation [B, ...]) -> [B, E]`.
    """

    pair: Network
    state: Network


class _Embedding(nn.Module):
    """A torso and linear outputs: `[B, D] -> [B, size]`."""

    torso: Torso
    size: int

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        head = layers.dense(self.size, nn.initializers.xavier_uniform())
        return head(self.torso(inputs))


def embeddings(config: Settings, spec: Spec) -> Embeddings:
    """Builds both networks, of the same shape; observations are flattened.

    Raises:
        InvalidSetting: the torso is for images.
        ValueError: actions are discrete.
    """
    actions = action_size(spec)
    if config.network.torso != "mlp":
        wanted = "mlp, since embeddings of continuous actions take vectors"
        raise checks.InvalidSetting("network.torso", config.network.torso, wanted)
    features = int(np.prod(spec.observation.shape))
    module = _Embedding(make_torso(config.network, spec), config.embedding_size)

    def embed_pair(
        params: NetworkParams, observation: Any, action: jax.Array
    ) -> jax.Array:
        joint = jnp.concatenate([_flat(observation), action], axis=-1)
        return cast(jax.Array, module.apply(params, joint))

    def embed_state(params: NetworkParams, observation: Any) -> jax.Array:
        return cast(jax.Array, module.apply(params, _flat(observation)))

    pair, state = (
        np.zeros((1, size), np.float32) for size in (features + actions, features)
    )
    return Embeddings(
        Network(lambda key: module.init(key, pair), embed_pair),
        Network(lambda key: module.init(key, state), embed_state),
    )


def _flat(observation: Any) -> jax.Array:
    return jnp.reshape(scaled(observation), (len(observation), -1))


def distance(left: jax.Array, right: jax.Array) -> jax.Array:
    """Euclidean distances `[...]` between embeddings `[..., E]`.

    Between equal embeddings, where no gradient exists, the gradient is 0, not NaN.
    """
    chex.assert_equal_shape([left, right])
    return _root(jnp.sum(jnp.square(left - right), axis=-1))


def distance_to_nearest(embedding: jax.Array, candidates: jax.Array) -> jax.Array:
    """Distance `[]` of an embedding `[E]` to the nearest of candidates `[K, E]`.

    Its gradient is that of the distance to this candidate.
    """
    chex.assert_rank([embedding, candidates], [1, 2])
    squares = jnp.sum(jnp.square(candidates - embedding[None]), axis=-1)
    return _root(jnp.min(squares))


def _root(squares: jax.Array) -> jax.Array:
    positive = squares > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1.0)), 0.0)


def pair_error(
    distance_tm1: jax.Array,
    r_t: jax.Array,
    discount_t: jax.Array,
    target_distance_t: jax.Array,
) -> jax.Array:
    """Error of the distance of two state-action pairs, as TD errors are of values.

    Args:
        distance_tm1: `[]` d_Phi between (s1, a1) and (s2, a2).
        r_t: `[2]` rewards of both.
        discount_t: `[2]` gamma of each, or 0 if its episode terminated there: the next
            states count only if neither terminated.
        target_distance_t: `[]` target d_Psi between s1' and s2'.

    Returns:
        `[]` target minus prediction; gradients flow through `distance_tm1` only.
    """
    chex.assert_rank([distance_tm1, r_t, discount_t, target_distance_t], [0, 1, 1, 0])
    chex.assert_shape([r_t, discount_t], (2,))
    target = jnp.abs(r_t[0] - r_t[1]) + jnp.min(discount_t) * target_distance_t
    return jax.lax.stop_gradient(target) - distance_tm1


def state_error(state_distance: jax.Array, distances: jax.Array) -> jax.Array:
    """Error of the distance of two states: its target is a mean over uniform actions.

    Args:
        state_distance: `[]` d_Psi between s1 and s2.
        distances: `[U]` d_Phi between (s1, u) and (s2, u) for U uniform actions u.

    Returns:
        `[]` target minus prediction; gradients flow through `state_distance` only.
    """
    chex.assert_rank([state_distance, distances], [0, 1])
    return jax.lax.stop_gradient(jnp.mean(distances)) - state_distance


def pretraining(config: Settings, spec: Spec) -> Agent:
    """Builds the stage that learns networks `metric` (Phi) and `state_metric` (Psi)."""
    both = embeddings(config, spec)
    own = losses(config, both, action_size(spec))
    init, update = sgd.learner(
        networks={"metric": both.pair.init, "state_metric": both.state.init},
        losses=own,
        optimizers={name: config.optimizer.make() for name in own},
        target_update=sgd.polyak(config.target_step_size),
    )
    storage = Storage(batch_size=config.batch_size)
    return Agent(init, update, never_acts, storage, config.discount)


def make_distance(
    config: Settings, spec: Spec
) -> Callable[[Params, jax.Array, Any, jax.Array], jax.Array]:
    """Builds the distance of pairs to the nearest of their candidates.

    It is `(params, candidates [B, K, E], observation, action) -> [B]`.
    """
    embed = embeddings(config, spec).pair

    def to_nearest(
        params: Params, candidates: jax.Array, observation: Any, action: jax.Array
    ) -> jax.Array:
        embedding = embed.apply(params["metric"], observation, action)
        return jax.vmap(distance_to_nearest)(embedding, candidates)

    return to_nearest


def losses(config: Settings, both: Embeddings, size: int) -> dict[str, sgd.Loss]:
    """Losses of `metric` and `state_metric`, in the order in which they learn.

    Each row of a batch forms a pair of transitions with the row before it.

    Args:
        config: the paper's.
        both: the networks.
        size: D, the size of an action.
    """

    def metric_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        pair = both.pair.apply(params["metric"], batch.observation, batch.action)
        state = both.state.apply(target_params["state_metric"], batch.next_observation)
        apart = distance(*_with_previous(pair))
        errors = jax.vmap(pair_error)(
            apart,
            jnp.stack(_with_previous(batch.reward), axis=-1),
            jnp.stack(_with_previous(config.discount * batch.discount), axis=-1),
            distance(*_with_previous(state)),
        )
        residual = jnp.mean(jnp.abs(errors))
        info = {"metric_residual": residual, "metric_distance": jnp.mean(apart)}
        return jnp.mean(jnp.square(errors)), info

    def state_loss(
        params: Params, target_params: Params, batch: Transition, key: jax.Array
    ) -> tuple[jax.Array, Metrics]:
        state = both.state.apply(params["state_metric"], batch.observation)
        shape = (len(state), config.uniform_actions, size)
        actions = jax.random.uniform(key, shape, minval=-1.0)
        apart = distance(
            *(
                embed_each(both, params["metric"], observation, actions)
                for observation in _with_previous(batch.observation)
            )
        )
        errors = jax.vmap(state_error)(distance(*_with_previous(state)), apart)
        residual = jnp.mean(jnp.abs(errors))
        return jnp.mean(jnp.square(errors)), {"state_metric_residual": residual}

    return {"metric": metric_loss, "state_metric": state_loss}


def embed_each(
    both: Embeddings, params: NetworkParams, observation: Any, actions: jax.Array
) -> jax.Array:
    """Phi `[B, U, E]` of U actions `[B, U, D]` at each observation `[B, ...]`."""
    batch, number, size = actions.shape
    repeated = jnp.repeat(observation, number, axis=0)
    flat = both.pair.apply(params, repeated, actions.reshape(-1, size))
    return flat.reshape(batch, number, -1)


def _with_previous(rows: Any) -> tuple[Any, Any]:
    return rows, jnp.roll(rows, 1, axis=0)
