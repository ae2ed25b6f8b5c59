"""Deep value iteration with a generative model, weighted by the targets' variance.

Kitamura et al., "Regularization and Variance-Weighted Regression Achieves Minimax
Optimality in Linear MDPs", ICML 2023, https://arxiv.org/abs/2305.13185, Section 7.2.1,
with the settings of its result files (matsuolab/Deep-Variance-Weighting-Maze).

Every iteration samples next states of all pairs of states and actions, and fits the
action values to their targets by gradient steps on all pairs at once. Letters in
shapes: S states, A actions, F numbers of an observation.

| symbol | here |
| --- | --- |
| tau | `temperature` |
| alpha | `munchausen` |
| f^2 | exp of the network `variance` |
| eta | exp of the scalar `scale` |
| gamma of the targets | `discount` |
| H | `STEPS` |

Deviations:
- Targets are discounted by .99, and q* and the gap by the process's .995, as in the
  authors' runs: their solver has its own discount, which their script leaves at .99.
  Losses in their result files tell (`tests/experiments/papers/test_dvw_maze.py`).
- Weights 1 / f*^2 are H / (Var v* + H) with H = 199, normalised nowhere. The released
  code has 200, and replaces these weights by 1; the result files have 199.
- Learned weights are max(eta / (f^2 + .1), .1), and the variance's learning rate is
  .001, as in the result files. The released code has a second scalar in the place of
  the first .1, and a rate of .0001. Without the least weight, the losses of Munchausen
  DQN are below those of all the files, and its gap stays large.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, cast

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from agents.parts import equations
from agents.tabular import operators
from agents.tabular.mdp import MDP

# H: values count the rewards of so many steps. The code rounds 1 / (1 - 0.995) down.
STEPS = 199

Weighting = Literal["none", "ideal", "learned"]


class Config(NamedTuple):
    """Hyper-parameters; defaults: the authors'.

    Attributes:
        weighting: of the regression: none: 1; ideal: by the variance of v*; learned: by
            a network's variance, which is deep variance weighting.
        temperature: tau >= 0; 0 is DQN's target.
        munchausen: alpha in [0, 1].
        discount: gamma of the targets.
        log_policy_floor: lower clip of tau ln pi.
        samples: next states of each pair in an iteration.
        gradient_steps: in an iteration.
        hidden: widths of both networks.
        learning_rate: Adam's, of action values.
        variance_rate: Adam's, of variances.
        scale_rate: Adam's, of ln eta.
        variance_floor: added to every variance.
        weight_floor: least learned weight of a pair.
    """

    weighting: Weighting = "none"
    temperature: float = 0.0
    munchausen: float = 0.0
    discount: float = 0.99
    log_policy_floor: float = -1.0
    samples: int = 3
    gradient_steps: int = 100
    hidden: tuple[int, ...] = (128, 128)
    learning_rate: float = 1e-3
    variance_rate: float = 1e-3
    scale_rate: float = 5e-3
    variance_floor: float = 0.1
    weight_floor: float = 0.1


class Network(nn.Module):
    """Fully connected layers with ReLU; `first_parameters` gives their weights."""

    hidden: tuple[int, ...]
    actions: int

    @nn.compact
    def __call__(self, observations: jax.Array) -> jax.Array:
        """`[S, A]` outputs for `[S, F]` observations."""
        x = observations
        for width in self.hidden:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(self.actions)(x)


def apply(
    params: Any, observations: jax.Array, actions: int, config: Config
) -> jax.Array:
    """Returns `[S, A]` outputs of one network for `[S, F]` observations."""
    network = Network(config.hidden, actions)
    return cast(jax.Array, network.apply(params, observations))


def optimal_action_values(mdp: MDP) -> jax.Array:
    """Returns `[S, A]` q* of the first `STEPS` steps."""

    def backup(_: int, q: jax.Array) -> jax.Array:
        return mdp.backup(jnp.max(q, axis=-1))

    return jax.lax.fori_loop(0, STEPS, backup, jnp.zeros_like(mdp.rewards))


def greedy_gap(mdp: MDP, best: jax.Array, q: jax.Array) -> jax.Array:
    """Returns `[]` max |q* - q_pi| / max q* of the policy that is greedy in q.

    Args:
        mdp: the process.
        best: `[S, A]` from `optimal_action_values`.
        q: `[S, A]`; equal maxima share the probability.
    """
    chex.assert_equal_shape([mdp.rewards, best, q])
    highest = q == jnp.max(q, axis=-1, keepdims=True)
    policy = highest / jnp.sum(highest, axis=-1, keepdims=True)
    gains = jnp.sum(policy * mdp.rewards, axis=-1)
    kept = jnp.einsum("sa,sat->st", policy, mdp.transitions)

    def backup(_: int, values: jax.Array) -> jax.Array:
        return gains + mdp.discount * kept @ values

    values = jax.lax.fori_loop(0, STEPS - 1, backup, jnp.zeros_like(gains))
    return jnp.max(jnp.abs(best - mdp.backup(values))) / jnp.max(best)


def ideal_weights(mdp: MDP, best: jax.Array) -> jax.Array:
    """Returns `[S, A]` H / (Var v*(s') + H)."""
    values = jnp.max(best, axis=-1)
    mean = mdp.transitions @ values
    variance = mdp.transitions @ jnp.square(values) - jnp.square(mean)
    return STEPS / (variance + STEPS)


def learned_weights(variance: jax.Array, scale: jax.Array, config: Config) -> jax.Array:
    """Returns `[S, A]` max(eta / (variance + variance_floor), weight_floor).

    Args:
        variance: `[S, A]`.
        scale: `[]` ln eta.
        config: gives the floors.
    """
    weight = jnp.exp(scale) / (variance + config.variance_floor)
    return jnp.maximum(weight, config.weight_floor)


def scale_loss(scale: jax.Array, variance: jax.Array, config: Config) -> jax.Array:
    """Returns `[]` loss of ln eta: the weights, without their floor, have the mean 1.

    Args:
        scale: `[]` ln eta.
        variance: `[S, A]`.
        config: gives the variance's floor.
    """
    mean = jnp.mean(jnp.exp(scale) / (variance + config.variance_floor))
    return jnp.square(mean - 1)


def targets(
    mdp: MDP, q: jax.Array, next_states: jax.Array, config: Config
) -> jax.Array:
    """Returns `[N, S, A]` targets of DQN, or of Munchausen DQN.

    Args:
        mdp: gives rewards.
        q: `[S, A]` target action values.
        next_states: `[N, S, A]` samples.
        config: temperature, alpha, gamma and clip.
    """
    chex.assert_equal_shape([mdp.rewards, q, next_states[0]])
    next_values = equations.soft_value(q, config.temperature)[next_states]
    found = mdp.rewards[None] + config.discount * next_values
    if config.temperature == 0:
        return found
    scaled = config.temperature * jax.nn.log_softmax(q / config.temperature)
    bonus = config.munchausen * jnp.maximum(scaled, config.log_policy_floor)
    return found + bonus[None]


class State(NamedTuple):
    """What iterations change.

    Attributes:
        params: of `q`, `variance` and `scale`.
        opt_state: of each.
        target: parameters of `q` at the start of the last iteration.
    """

    params: dict[str, Any]
    opt_state: Any
    target: Any


def _optimizers(config: Config) -> dict[str, optax.GradientTransformation]:
    return {
        "q": optax.adam(config.learning_rate),
        "variance": optax.adam(config.variance_rate),
        "scale": optax.adam(config.scale_rate),
    }


def first_parameters(
    key: jax.Array, features: int, actions: int, config: Config
) -> dict[str, Any]:
    """Draws the first parameters of `q`, `variance` and `scale`.

    Weights are normal with deviation 1 / sqrt(inputs), cut at two deviations; those of
    the last layers, and all biases, are 0. The order of the draws is Haiku's in the
    authors' code, so that its key, and the older random bits, give its weights.

    Args:
        key: the authors' is `jax.random.key(0)`.
        features: F.
        actions: A.
        config: the widths.
    """
    rest, q_key = jax.random.split(key)
    widths = (features, *config.hidden, actions)

    def network(key: jax.Array) -> dict[str, Any]:
        layers = {}
        for number, shape in enumerate(itertools.pairwise(widths)):
            key, own = jax.random.split(key)
            kernel = jax.random.truncated_normal(own, -2, 2, shape) / math.sqrt(
                shape[0]
            )
            if number == len(config.hidden):
                kernel = jnp.zeros(shape)
            layers[f"Dense_{number}"] = {"kernel": kernel, "bias": jnp.zeros(shape[1])}
        return {"params": layers}

    return {
        "q": network(q_key),
        "variance": network(jax.random.split(rest)[1]),
        "scale": jnp.ones(()),
    }


def start(params: dict[str, Any], config: Config) -> State:
    """The state before the first iteration, with its `first_parameters`."""
    optimizers = _optimizers(config)
    opt_state = {name: optimizers[name].init(params[name]) for name in optimizers}
    return State(params, opt_state, params["q"])


def iterate(
    key: jax.Array,
    state: State,
    mdp: MDP,
    observations: jax.Array,
    ideal: jax.Array,
    config: Config,
) -> State:
    """One iteration: targets of all pairs, then gradient steps towards them.

    Args:
        key: of the samples.
        state: before.
        mdp: the process.
        observations: `[S, F]`.
        ideal: `[S, A]` weights of `weighting="ideal"`.
        config: hyper-parameters.
    """
    optimizers, learned = _optimizers(config), config.weighting == "learned"
    next_states = operators.next_states(key, mdp, config.samples)
    outputs = functools.partial(
        apply, observations=observations, actions=mdp.rewards.shape[1], config=config
    )
    frozen = jnp.exp(outputs(state.params["variance"]))
    q = outputs(state.params["q"])
    target = jnp.mean(targets(mdp, q, next_states, config), axis=0)
    earlier = targets(mdp, outputs(state.target), next_states, config)
    seen = jnp.mean(jnp.square(earlier - q[None]), axis=0)

    def step(_: int, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        params, opt_state = map(dict, carry)

        def descend(name: str, loss: Callable[[Any], jax.Array]) -> None:
            updates, opt_state[name] = optimizers[name].update(
                jax.grad(loss)(params[name]), opt_state[name]
            )
            params[name] = optax.apply_updates(params[name], updates)

        weight = ideal if config.weighting == "ideal" else jnp.ones_like(target)
        if learned:
            descend("variance", lambda own: _huber(jnp.exp(outputs(own)), seen))
            descend("scale", lambda own: scale_loss(own, frozen, config))
            weight = learned_weights(frozen, params["scale"], config)
        descend("q", lambda own: jnp.mean(weight * jnp.square(outputs(own) - target)))
        return params, opt_state

    carry = (state.params, state.opt_state)
    params, opt_state = jax.lax.fori_loop(0, config.gradient_steps, step, carry)
    return State(params, opt_state, state.params["q"])


def _huber(prediction: jax.Array, target: jax.Array) -> jax.Array:
    return jnp.mean(optax.huber_loss(prediction, target))


class Run(NamedTuple):
    """A run under way; the arrays of several runs have `[N]` in front.

    Attributes:
        key: `[]` of the samples.
        mdp: the process.
        observations: `[S, F]`, what the networks see of each state.
        best: `[S, A]` optimal action values.
        ideal: `[S, A]` weights of `weighting="ideal"`.
        iteration: `[]` int32, number of iterations done.
        state: what they changed.
    """

    key: jax.Array
    mdp: MDP
    observations: jax.Array
    best: jax.Array
    ideal: jax.Array
    iteration: jax.Array
    state: State


def gaps(
    key: jax.Array,
    mdp: MDP,
    observations: jax.Array,
    params: dict[str, Any],
    *,
    config: Config,
    iterations: int,
    points: int,
    after: tuple[int, State] | None = None,
) -> Iterator[tuple[jax.Array, State]]:
    """Computes one run, or N runs at once if all arrays have `[N]` in front.

    Args:
        key: of the samples.
        mdp: the process.
        observations: `[S, F]`, what the networks see of each state.
        params: from `first_parameters`.
        config: hyper-parameters.
        iterations: in all, a multiple of `points`.
        points: number of gaps after the first.
        after: the number of a point of this run, 0 for the first, and the state there:
            the run continues there. None: the run begins.

    Yields:
        The `[]` or `[N]` gap and the state, before the first iteration and then at
        equal distances, each as soon as it is computed.
    """
    chex.assert_equal(iterations % points, 0)
    distance = iterations // points
    along = jax.vmap if key.ndim else lambda function: function
    of_run = along(functools.partial(_gap, config=config))
    advance = along(functools.partial(_advance, config=config, iterations=distance))
    run = along(functools.partial(_begin, config=config))(
        key, mdp, observations, params
    )
    if after is None:
        yield of_run(run), run.state
    first, state = after or (0, run.state)
    done = jnp.full_like(run.iteration, first * distance)
    run = run._replace(iteration=done, state=state)
    for _ in range(first, points):
        run = advance(run)
        yield of_run(run), run.state


@functools.partial(jax.jit, static_argnames="config")
def _begin(
    key: jax.Array,
    mdp: MDP,
    observations: jax.Array,
    params: dict[str, Any],
    config: Config,
) -> Run:
    best = optimal_action_values(mdp)
    ideal = ideal_weights(mdp, best)
    state = start(params, config)
    return Run(key, mdp, observations, best, ideal, jnp.int32(0), state)


@functools.partial(jax.jit, static_argnames=("config", "iterations"))
def _advance(run: Run, config: Config, iterations: int) -> Run:
    def one(offset: int, state: State) -> State:
        key = jax.random.fold_in(run.key, run.iteration + offset)
        return iterate(key, state, run.mdp, run.observations, run.ideal, config)

    state = jax.lax.fori_loop(0, iterations, one, run.state)
    return run._replace(iteration=run.iteration + iterations, state=state)


@functools.partial(jax.jit, static_argnames="config")
def _gap(run: Run, config: Config) -> jax.Array:
    actions = run.mdp.rewards.shape[1]
    q = apply(run.state.params["q"], run.observations, actions, config)
    return greedy_gap(run.mdp, run.best, q)
