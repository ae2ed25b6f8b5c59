"""Learning with f-divergences: losses by hand, distillation, that it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import f_divergence
from agents.parts import sgd
from agents.parts.contract import Spec, Transition
from agents.parts.language import f_softargmax, sampling, transformer
from agents.parts.language.sequences import EOS, PAD

P, T, V, B = 4, 3, 9, 5
SPEC = Spec(
    observation=jax.ShapeDtypeStruct((P + T,), np.dtype(np.int32)),
    num_actions=V,
    action=jax.ShapeDtypeStruct((T,), np.dtype(np.int32)),
)
NETWORK = transformer.Config(V, width=12, layers=1, heads=2, kv_heads=1)
TEACHER = transformer.Config(V, width=20, layers=1, heads=2, kv_heads=2)
PROMPTS = jnp.array(
    [[4, 5, PAD, PAD], [6, 4, 7, PAD], [8, 6, 5, 4], [7, 8, PAD, PAD], [5, 7, 6, PAD]]
)
REFERENCES = jnp.array([[4, 5, 6], [EOS, 0, 0], [7, EOS, 0], [8, 8, EOS], [5, EOS, 0]])
LENGTHS = np.array([3, 1, 2, 3, 2])
INSIDE = np.arange(T)[None] < LENGTHS[:, None]
OBSERVATION = jnp.concatenate([PROMPTS, REFERENCES], axis=1)
BATCH = Transition(OBSERVATION, REFERENCES, jnp.zeros(B), jnp.zeros(B), OBSERVATION)


def make(**settings):
    settings = {
        "network": NETWORK,
        "teacher": TEACHER,
        "optimizer": sgd.Optimizer(1e-2, 1e-8),
    } | settings
    return f_divergence.agent(f_divergence.Config(**settings), SPEC)


@pytest.fixture(scope="module")
def params():
    """Of a policy, and of the teacher that a run would be given."""
    first = jax.jit(make(target="teacher").init)(jax.random.key(3)).params
    return {**first, "teacher": transformer.init(jax.random.key(4), TEACHER)}


@pytest.fixture(scope="module")
def logits(params):
    """Before each token of the references, of policy and teacher."""

    @jax.jit
    def both(params):
        return [
            sampling.completion_logits(params[name], network, PROMPTS, REFERENCES)
            for name, network in (("policy", NETWORK), ("teacher", TEACHER))
        ]

    return [np.asarray(each) for each in both(params)]


def losses(params, *settings):
    """Losses and metrics of several configurations, compiled as one function."""
    networks = {"policy": NETWORK, "teacher": TEACHER}

    @jax.jit
    def all_of_them(params):
        found = []
        for each in settings:
            config = f_divergence.Config(**each)
            loss = f_divergence.loss_of(config, networks, SPEC)
            found.append(loss(params, {}, BATCH, jax.random.key(0)))
        return found

    return all_of_them(params)


def sparsemax_loss(theta, label):
    """1/2 sum over the support of (theta^2 - tau^2) + 1/2 - theta_y, by sorting."""
    ordered = np.sort(theta)[::-1]
    k = np.arange(1, len(theta) + 1)
    size = k[1 + k * ordered > np.cumsum(ordered)][-1]
    tau = (ordered[:size].sum() - 1) / size
    return ((ordered[:size] ** 2 - tau**2).sum() + 1) / 2 - theta[label]


def test_losses_are_means_over_the_tokens_of_the_completions(params, logits):
    """KL is cross-entropy, alpha 2 the loss of sparsemax, and q = 1 / V rescales."""
    student, teacher = logits
    log_p = student - np.log(np.exp(student).sum(axis=-1, keepdims=True))
    labels = np.asarray(REFERENCES)[..., None]
    cross_entropy = -np.take_along_axis(log_p, labels, axis=-1)[..., 0]
    sparse = np.array(
        [
            [
                [sparsemax_loss(scale * row, label) for scale in (1, 1 / V)]
                for row, label in zip(rows, tokens, strict=True)
            ]
            for rows, tokens in zip(student, np.asarray(REFERENCES), strict=True)
        ]
    )
    f = f_softargmax.alpha_divergence(1.5)
    target = f_softargmax.softargmax(f, jnp.asarray(teacher))
    distilled = np.asarray(f_softargmax.loss(f, jnp.asarray(student), target))

    def token_mean(values):
        return (values * INSIDE).sum() / LENGTHS.sum()

    cases = [
        ({"divergence": "kl"}, token_mean(cross_entropy)),
        (
            {"divergence": "kl", "average": "sequence_mean"},
            ((cross_entropy * INSIDE).sum(axis=1) / LENGTHS).mean(),
        ),
        ({"alpha": 2.0}, token_mean(sparse[..., 0])),
        ({"divergence": "chi_squared"}, token_mean(sparse[..., 0])),
        # With q = 1 / V: V times the loss of sparsemax at theta / V.
        ({"alpha": 2.0, "measure": "uniform"}, V * token_mean(sparse[..., 1])),
        ({"target": "teacher"}, token_mean(distilled)),
    ]
    found = losses(params, *(settings for settings, _ in cases))
    wanted = [value for _, value in cases]
    np.testing.assert_allclose([loss for loss, _ in found], wanted, rtol=1e-4)
    right = (student.argmax(axis=-1) == np.asarray(REFERENCES)) * INSIDE
    accuracy = right.sum() / LENGTHS.sum()
    assert found[0][1]["token_accuracy"] == pytest.approx(accuracy)
    measured = jax.jit(make().measure)(params, jax.random.key(0), OBSERVATION)
    assert measured["reference_accuracy"] == pytest.approx(accuracy)


def test_only_distillation_has_a_teacher_and_it_never_learns():
    plain, distilled = (
        jax.eval_shape(make(target=target).init, jax.random.key(0))
        for target in ("tokens", "teacher")
    )
    assert set(plain.params) == {"policy"}
    assert set(distilled.params) == {"policy", "teacher"}
    assert set(distilled.opt_state) == {"policy"}
    assert f_divergence.Config(**f_divergence.DISTILLATION).target == "teacher"


@pytest.mark.slow
def test_it_learns_to_generate_the_references(key):
    """With a sparse loss, whose gradient vanishes once all tokens are certain."""
    prompts = jnp.array([[4, 5, PAD, PAD], [6, 4, 7, PAD], [8, 6, 5, 4]])
    references = jnp.array([[4, EOS, 0], [4, 6, EOS], [5, EOS, 0]])
    seen = jnp.concatenate([prompts, references], axis=1)
    agent = make(alpha=1.5)
    act, state = jax.jit(agent.act), agent.init(key)
    tokens, extras = act(state.params, key, seen, 0, False)
    np.testing.assert_array_equal(tokens, references)
    assert extras == ()
    batch = Transition(seen, references, jnp.zeros(3), jnp.zeros(3), seen)

    @jax.jit
    def many(state):
        return jax.lax.scan(lambda s, _: agent.update(s, batch), state, length=60)

    state, metrics = many(state)
    after, _ = act(state.params, key, seen, 0, True)
    np.testing.assert_array_equal(after, references)
    assert metrics["policy_loss"][0] > 1 and metrics["policy_loss"][-1] < 1e-3
    assert metrics["token_accuracy"][-1] == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0.0}, "alpha must be above 0, got 0"),
        ({"divergence": "entmax"}, "divergence must be one of alpha, kl, .*'entmax'"),
        ({"measure": "unigram"}, "measure must be one of ones, uniform, got"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        f_divergence.Config(**settings)
