"""The contract of every registered agent, at odd and mutually different sizes."""

import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import REGISTRY
from agents.parts import conformance
from agents.parts.checks import InvalidSetting
from agents.parts.contract import Others, Storage
from tests.agents import golden_values
from tests.agents.cases import (
    ACTIONS,
    BOX,
    ENVIRONMENTS,
    FAST,
    IMAGES,
    VECTORS,
    batch_for,
    compiled,
    leaves_equal,
    make,
    observations,
    small,
    specs,
)

DISCRETE = [name for name in sorted(REGISTRY) if REGISTRY[name].actions == "discrete"]

GOLDEN = json.loads(golden_values.FILE.read_text())
# One agent for each kind of network that sees images.
SEERS = {"mdqn", "iqn", "deep_cpi"}
STAGED = ["anti_exploration", "anti_exploration_code", "ploff"]


@pytest.fixture(params=sorted(REGISTRY))
def name(request):
    return request.param


def each_case(test):
    """Runs a test of `name` and `spec` for every agent and kind of observation."""
    cases = [
        pytest.param(
            name,
            spec,
            id=f"{name}-{len(spec.observation.shape)}d",
            marks=[pytest.mark.slow] if spec is IMAGES and name not in SEERS else [],
        )
        for name in sorted(REGISTRY)
        for spec in specs(name)
    ]
    return pytest.mark.parametrize(("name", "spec"), cases)(test)


@each_case
@pytest.mark.parametrize("check", conformance.CHECKS.values(), ids=lambda c: c.__name__)
def test_agent_fulfils_its_contract(check, name, spec):
    check(compiled(name, spec), spec)


def test_repeated_updates_on_one_batch_reduce_the_loss(name):
    # Far from the policy that generated the batch, the weights min(1, pi / pi_old) of a
    # policy gradient change, and its loss may rise. The first updates reduce it.
    updates, last = (3, 1) if name == "warm" else (200, 9)
    one = compiled(name, specs(name)[0])
    state, update = one.state, one.update
    batch, losses = conformance.batch_with_extras(one, specs(name)[0]), []
    for _ in range(updates):
        state, metrics = update(state, batch)
        losses.append({n: float(v) for n, v in metrics.items() if n.endswith("_loss")})
    falling = set(losses[0])
    if REGISTRY[name].actions == "continuous" and name != "bc":
        # The policy ascends values that change as well, so the policy's loss may rise.
        falling &= {"q_loss", "critic_loss"}
    assert falling
    for loss in falling:
        first = losses[0][loss]
        assert np.mean([later[loss] for later in losses[-last:]]) < first, loss


def branches_on_gpus(jaxpr):
    """Branches and loops that a GPU runs; at each of them it waits for the host."""
    for equation in jaxpr.eqns:
        platforms = equation.params.get("branches_platforms")
        if equation.primitive.name in ("cond", "while") and platforms is None:
            yield equation
            continue
        inner = [
            branch
            for branch in jax.tree.leaves(list(equation.params.values()))
            if hasattr(getattr(branch, "jaxpr", branch), "eqns")
        ]
        if platforms is not None:
            used = [not names or "cuda" in names for names in platforms]
            inner = [each for each, use in zip(inner, used, strict=True) if use]
        for each in inner:
            yield from branches_on_gpus(getattr(each, "jaxpr", each))


@each_case
def test_on_a_gpu_the_host_waits_for_no_branch(name, spec, key):
    one = compiled(name, spec)
    agent, state = one.agent, one.state
    batch = conformance.batch_with_extras(one, spec)
    observation = observations(spec, ENVIRONMENTS)
    update = jax.make_jaxpr(agent.update)(state, batch)
    act = jax.make_jaxpr(agent.act)(state.params, key, observation, 0, False)
    assert not list(branches_on_gpus(update.jaxpr))
    # A completion ends after as many tokens as it takes, so its policy has to wait.
    assert bool(list(branches_on_gpus(act.jaxpr))) == (spec.kind == "tokens")


def test_only_agents_that_sample_completions_store_extras(name, key):
    spec = specs(name)[0]
    _, state, _, act, _ = compiled(name, spec)
    _, extras = act(state.params, key, observations(spec, ENVIRONMENTS), 0, False)
    shapes = jax.tree.map(np.shape, extras)
    stored = {"log_probs": (ENVIRONMENTS, 4)}

    def others(number):
        shapes = (ENVIRONMENTS, number, 4), (ENVIRONMENTS, number)
        return {"others": Others(*shapes)}

    wanted = {
        **dict.fromkeys(("gkd", "warp", "rlef", "warm"), stored),
        "bond": stored | others(16),
        "jbond": stored | others(2),
        "reward_model": others(1),
    }
    assert shapes == wanted.get(name, ())


@pytest.mark.parametrize("name", DISCRETE)
def test_exploration_falls_and_evaluation_is_almost_greedy(name, key):
    _, state, _, act, _ = compiled(name, VECTORS)
    # The last layer's bias makes action 4 the best by far, in every network.
    params = jax.tree.map(
        lambda leaf: 9.0 * jnp.arange(5.0) if leaf.shape == (ACTIONS,) else leaf,
        state.params,
    )
    observation = observations(VECTORS, 2_000)
    counts = [
        np.bincount(
            act(params, key, observation, steps, evaluation)[0], minlength=ACTIONS
        )
        for steps, evaluation in ((0, False), (10_000_000, False), (0, True))
    ]
    assert counts[0].min() > 0.15 * 2_000  # random at first
    assert counts[1][4] > 0.97 * 2_000
    assert counts[2][4] > 0.98 * 2_000


def test_the_configuration_is_picklable_and_gives_a_storage(name):
    config = REGISTRY[name].default()
    assert pickle.loads(pickle.dumps(config)) == config
    conformance.check_numbers(make(name))


@pytest.mark.parametrize("name", STAGED)
def test_a_stage_learns_networks_that_the_agent_keeps_fixed(name, key):
    config = small(name, BOX, optimizer=FAST)
    agent, kept, update, _, _ = compiled(name, BOX)
    first, last = stages = REGISTRY[name].stages(config, BOX)
    conformance.check_stages(stages, BOX)
    assert (first.name, last.name) == ("pretraining", "")
    assert (first.steps, last.steps) == (config.pretraining_steps, None)
    assert first.source == last.source == "dataset"
    stage, batch = first.agent, batch_for(agent, BOX)
    learned = stage.init(key)
    assert learned.opt_state.keys() <= kept.params.keys() - kept.opt_state.keys()
    following, _ = jax.jit(stage.update)(learned, batch)
    with pytest.raises(TypeError, match="no policy"):
        stage.act(following.params, key, batch.observation, 0, True)
    kept = kept._replace(params={**kept.params, **following.params})
    after, _ = update(kept, batch)
    for network in learned.opt_state:
        assert leaves_equal(after.params[network], following.params[network])


@pytest.mark.parametrize("name", [n for n in sorted(REGISTRY) if REGISTRY[n].dataset])
def test_offline_agents_never_explore(name, key):
    _, state, _, act, _ = compiled(name, BOX)
    params, seen = state.params, observations(BOX, ENVIRONMENTS)
    one, _ = act(params, key, seen, 0, False)
    other, _ = act(params, jax.random.key(1), seen, 10_000_000, True)
    assert np.array_equal(one, other)


def test_every_stage_of_every_agent_has_golden_values():
    stages = {stage for name in REGISTRY for stage in golden_values.stages(name)}
    assert GOLDEN.keys() == stages


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_agent_computes_its_golden_values(name):
    golden_values.assert_close(golden_values.computed(name), GOLDEN[name], name)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"order": "stack"}, "storage.order must be one of replay, queue, got 'stack'"),
        ({"n_step": 3}, "storage.n_step must be 1 for a queue, got 3"),
        (
            {"samples_per_insert": 0.5},
            "storage.samples_per_insert must be 1 for a queue, got 0.5",
        ),
        (
            {"capacity": 6},
            "storage.capacity must be at least storage.batch_size, 7, for a queue, "
            "got 6",
        ),
    ],
)
def test_storage_that_no_queue_can_have_is_refused(settings, said):
    # The smallest size of a replay, 20,000 by default, has no meaning for a queue.
    fitting = {"order": "queue", "capacity": 7, "batch_size": 7}
    assert Storage(**fitting, samples_per_insert=1.0).n_step == 1
    with pytest.raises(InvalidSetting) as caught:
        Storage(**{**fitting, "samples_per_insert": 1.0} | settings)
    assert str(caught.value) == said
