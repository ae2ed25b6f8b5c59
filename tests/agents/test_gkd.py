"""GKD: losses by hand, sources of completions, reward term, that it learns."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import gkd
from agents.parts import sgd
from agents.parts.contract import Spec, Transition
from agents.parts.language import (
    accumulation,
    distillation,
    policy_gradient,
    sampling,
    sequences,
    transformer,
)
from agents.parts.language.sequences import EOS, PAD

P, T, V, B = 4, 3, 9, 5
SPEC = Spec(
    observation=jax.ShapeDtypeStruct((P + T,), np.dtype(np.int32)),
    num_actions=V,
    action=jax.ShapeDtypeStruct((T,), np.dtype(np.int32)),
)
STUDENT = transformer.Config(V, width=12, layers=1, heads=2, kv_heads=1)
TEACHER = transformer.Config(V, width=20, layers=1, heads=2, kv_heads=2)
PROMPTS = jnp.array(
    [[4, 5, PAD, PAD], [6, 4, 7, PAD], [8, 6, 5, 4], [7, 8, PAD, PAD], [5, 7, 6, PAD]]
)
REFERENCES = jnp.array([[4, 5, 6], [EOS, 0, 0], [7, EOS, 0], [8, 8, EOS], [5, EOS, 0]])
LENGTHS = np.array([3, 1, 2, 3, 2])
INSIDE = np.arange(T)[None] < LENGTHS[:, None]
OBSERVATION = jnp.concatenate([PROMPTS, REFERENCES], axis=1)
BATCH = Transition(
    observation=OBSERVATION,
    action=REFERENCES,
    reward=jnp.array([1.0, 0.0, 2.0, 0.0, 4.0]),
    discount=jnp.zeros(B),
    next_observation=OBSERVATION,
    extras={"log_probs": jnp.zeros((B, T))},
)


def make(**settings):
    settings = {
        "network": STUDENT,
        "teacher": TEACHER,
        "optimizer": sgd.Optimizer(1e-2, 1e-8),
    } | settings
    return gkd.agent(gkd.Config(**settings), SPEC)


@pytest.fixture(scope="module")
def params():
    """Of a student, and of the teacher that a run would be given."""
    first = jax.jit(make().init)(jax.random.key(3)).params
    return {**first, "teacher": transformer.init(jax.random.key(4), TEACHER)}


@pytest.fixture(scope="module")
def log_probabilities(params):
    """Of all tokens before each token of the references, student and teacher."""

    @jax.jit
    def both(params):
        return [
            jax.nn.log_softmax(
                sampling.completion_logits(params[name], network, PROMPTS, REFERENCES)
            )
            for name, network in (("policy", STUDENT), ("teacher", TEACHER))
        ]

    return [np.asarray(each, np.float64) for each in both(params)]


def losses(params, batch, *settings):
    """Losses and metrics of several configurations, compiled as one function."""
    pair = distillation.Pair(STUDENT, TEACHER)

    @jax.jit
    def all_of_them(params, batch):
        found = []
        for each in settings:
            config = gkd.Config(**each)
            ours = pair._replace(
                temperature=config.teacher_temperature, chunk=config.chunk
            )
            loss = gkd.loss_of(config, ours, SPEC)
            found.append(loss(params, {}, batch, jax.random.key(0)))
        return found

    return all_of_them(params, batch)


def kl(log_p, log_q):
    return (np.exp(log_p) * (log_p - log_q)).sum(axis=-1)


def sequence_mean(values):
    return ((values * INSIDE).sum(axis=1) / LENGTHS).mean()


def taken(log_probabilities):
    tokens = np.asarray(REFERENCES)[..., None]
    return np.take_along_axis(log_probabilities, tokens, axis=2)[..., 0]


def test_losses_are_means_over_the_tokens_of_the_completions(params, log_probabilities):
    """Tokens after EOS do not count; the teacher's temperature is the teacher's only.

    With a weight of the score, the loss is alpha D + (1 - alpha) times its term.
    """
    student, teacher = log_probabilities
    sharp = teacher / 0.1
    sharp -= np.log(np.exp(sharp).sum(axis=-1, keepdims=True))
    own = jnp.asarray(taken(student) * INSIDE, jnp.float32)
    batch = BATCH._replace(extras={"log_probs": own})
    gains, _ = policy_gradient.losses(
        own, own, policy_gradient.advantages(BATCH.reward)
    )
    forward = sequence_mean(kl(teacher, student))
    cases = [
        ({"divergence": "forward_kl"}, forward),
        (
            {"divergence": "reverse_kl", "average": "token_mean", "chunk": 4},
            (kl(student, teacher) * INSIDE).sum() / LENGTHS.sum(),
        ),
        ({"teacher_temperature": 0.1}, sequence_mean(kl(sharp, student))),
        (gkd.SEQ_KD, -sequence_mean(taken(student))),
        (gkd.SEQ_KD | {"chunk": 4}, -sequence_mean(taken(student))),
        ({"divergence_weight": 0.25}, 0.25 * forward + 0.75 * float(gains.mean())),
    ]
    found = losses(params, batch, *(settings for settings, _ in cases))
    wanted = [value for _, value in cases]
    np.testing.assert_allclose([loss for loss, _ in found], wanted, rtol=1e-3)
    metrics = found[-1][1]
    assert metrics["ratio_mean"] == pytest.approx(1, abs=1e-5)
    assert metrics["divergence"] == pytest.approx(forward, rel=1e-4)
    assert metrics["truncated"] == pytest.approx(0.2)


def test_only_the_student_learns():
    """A network without an optimiser never changes, see `sgd.learner`."""
    state = jax.eval_shape(make().init, jax.random.key(3))
    assert set(state.params) == {"policy", "teacher"}
    assert set(state.opt_state) == {"policy"}


def test_completions_are_the_teachers_in_training_and_the_students_else(params, key):
    """Both greedy here, so that each token is the most likely one of its network."""
    agent = make(on_policy=0.0, source="teacher", teacher_temperature=1e-4)
    act = jax.jit(agent.act)
    for evaluation, name, network in (
        (False, "teacher", TEACHER),
        (True, "policy", STUDENT),
    ):
        tokens, extras = act(params, key, OBSERVATION, 0, evaluation)
        assert extras == ()
        logits = jax.jit(sampling.completion_logits, static_argnums=1)(
            params[name], network, PROMPTS, tokens
        )
        inside = np.asarray(sequences.completion_mask(tokens))
        best = np.argmax(logits, axis=-1)
        np.testing.assert_array_equal(best[inside], np.asarray(tokens)[inside])


def test_without_lambda_a_training_call_runs_no_network(params, key, monkeypatch):
    """Its actors wait for no generation: the branch that would is not taken."""
    calls = []

    def counted(*arguments):
        jax.debug.callback(lambda: calls.append(1))
        return sampling.Completion(REFERENCES, jnp.zeros((B, T)))

    monkeypatch.setattr(sampling, "generate", counted)
    act = jax.jit(make(on_policy=0.0).act)
    for evaluation, wanted in ((False, 0), (True, 1)):
        jax.block_until_ready(act(params, key, OBSERVATION, 0, evaluation))
        jax.effects_barrier()
        assert len(calls) == wanted


@pytest.mark.parametrize("average", ["token_mean", "sequence_mean"])
def test_parts_of_a_batch_have_its_loss_and_gradient(params, average, monkeypatch):
    """The score's baseline and all means are those of the whole batch."""
    asked, summed = [], accumulation.summed

    def noted(function, own, batch, parts):
        asked.append(parts)
        return summed(function, own, batch, parts)

    monkeypatch.setattr(accumulation, "summed", noted)
    pair = distillation.Pair(STUDENT, TEACHER)

    @jax.jit
    def both(policy):
        found = []
        for parts in (1, B):
            config = gkd.Config(
                divergence_weight=0.25, batch_size=B, parts=parts, average=average
            )
            loss = gkd.loss_of(config, pair, SPEC)
            found.append(
                jax.value_and_grad(
                    lambda own, loss=loss: loss(
                        {**params, "policy": own}, {}, BATCH, jax.random.key(0)
                    ),
                    has_aux=True,
                )(policy)
            )
        return found

    whole, parted = both(params["policy"])
    assert asked == [1, B]
    chex.assert_trees_all_close(whole, parted, rtol=1e-4, atol=1e-6)
    assert float(whole[0][1]["ratio_mean"]) < 1


def test_measures_are_0_for_equal_networks(params, log_probabilities, key):
    agent = make(teacher=STUDENT)
    alike = {"policy": params["policy"], "teacher": params["policy"]}
    measured = jax.jit(agent.measure)(alike, key, OBSERVATION)
    assert measured["forward_kl"] == pytest.approx(0, abs=1e-5)
    assert measured["reverse_kl"] == pytest.approx(0, abs=1e-5)
    wanted = (taken(log_probabilities[0]) * INSIDE).sum(axis=1).mean()
    assert measured["reference_log_prob"] == pytest.approx(wanted, rel=1e-4)


def test_measures_by_hand(params, key, monkeypatch):
    """Sums up to EOS, over completions of the first network of each KL."""
    made = {TEACHER: REFERENCES, STUDENT: REFERENCES[::-1]}

    def generate(network, config, key, prompt, columns, temperature=1.0):
        return sampling.Completion(made[config], jnp.zeros((B, T)))

    monkeypatch.setattr(sampling, "generate", generate)
    measured = jax.jit(make().measure)(params, key, OBSERVATION)
    logits = jax.jit(sampling.completion_logits, static_argnums=1)

    def total(name, other, completion):
        log_p, log_q = (
            np.asarray(
                jax.nn.log_softmax(logits(params[n], c, PROMPTS, completion)),
                np.float64,
            )
            for n, c in (name, other)
        )
        inside = np.asarray(sequences.completion_mask(completion))
        return (kl(log_p, log_q) * inside).sum(axis=1).mean()

    teacher, student = ("teacher", TEACHER), ("policy", STUDENT)
    forward = total(teacher, student, made[TEACHER])
    reverse = total(student, teacher, made[STUDENT])
    assert measured["forward_kl"] == pytest.approx(forward, rel=1e-4)
    assert measured["reverse_kl"] == pytest.approx(reverse, rel=1e-4)


@pytest.mark.slow
def test_forward_kl_is_the_mean_log_ratio_of_the_teachers_completions(params, key):
    """Over many samples, the sums of exact divergences equal the sampled ratio."""
    many = jnp.broadcast_to(OBSERVATION[:1], (3_000, P + T))
    measured = jax.jit(make().measure)(params, key, many)
    prompts = many[:, :P]
    tokens, teacher = jax.jit(sampling.generate, static_argnums=(1, 4))(
        params["teacher"], TEACHER, jax.random.key(8), prompts, T
    )
    student = sampling.score(params["policy"], STUDENT, prompts, tokens)
    ratio = np.asarray(teacher.sum(axis=1) - student.sum(axis=1))
    error = ratio.std() / np.sqrt(len(ratio))
    assert abs(measured["forward_kl"] - ratio.mean()) < 5 * error
    assert error < 0.1 * ratio.mean()


@pytest.mark.slow
def test_on_policy_distillation_lowers_the_divergence_on_its_own_completions(
    params, key
):
    agent = make(divergence="reverse_kl")
    act, learn = jax.jit(agent.act), jax.jit(agent.update)
    measure, state = jax.jit(agent.measure), agent.init(key)._replace(params=params)
    many = jnp.tile(OBSERVATION, (6, 1))
    before = measure(state.params, key, many)
    for step in range(300):
        tokens, extras = act(
            state.params, jax.random.fold_in(key, step), many, 0, False
        )
        batch = Transition(many, tokens, jnp.zeros(30), jnp.zeros(30), many, extras)
        state, _ = learn(state, batch)
    after = measure(state.params, key, many)
    assert after["reverse_kl"] < 0.1 * before["reverse_kl"]
    assert after["forward_kl"] < 0.3 * before["forward_kl"]


def test_named_limits():
    assert gkd.Config(**gkd.SUPERVISED_KD).on_policy == 0
    seq_kd = gkd.Config(**gkd.SEQ_KD)
    assert (seq_kd.on_policy, seq_kd.source) == (0, "teacher")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": 1.0}, "beta must be above 0 and below 1; at the ends .*, got 1"),
        ({"on_policy": 1.5}, "on_policy must be between 0 and 1, got 1.5"),
        ({"divergence": "kl"}, "divergence must be one of forward_kl, .*, got 'kl'"),
        (
            {"source": "policy"},
            "source must be one of reference, teacher, fixed_teacher, got",
        ),
        ({"teacher_temperature": 0.0}, "teacher_temperature must be above 0, got 0"),
        (
            {"divergence_weight": 0.5, "on_policy": 0.5},
            "on_policy must be at least 1, got 0.5",
        ),
        ({"divergence_weight": 0.5, "batch_size": 1}, "batch_size must be at least 2"),
        ({"chunk": -1}, "chunk must be at least 0, got -1"),
        ({"parts": -1}, "parts must be at least 0, got -1"),
        ({"parts": 5}, "parts must be a divisor of batch_size 32, got 5"),
        ({"source": "teacher"}, "source must be reference if on_policy is 1, .*, got"),
        ({"divergence": "likelihood"}, "on_policy must be below 1 if .*, got 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(gkd.Config(), **settings)


def test_a_teacher_with_another_vocabulary_is_refused():
    with pytest.raises(ValueError, match=r"vocabulary must be 0 or .* 9, got 10"):
        make(teacher=dataclasses.replace(TEACHER, vocabulary=10))


def test_the_mask_has_the_lengths_of_this_file():
    np.testing.assert_array_equal(sequences.completion_length(REFERENCES), LENGTHS)
