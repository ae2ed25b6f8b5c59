"""GKD: losses by hand, sources of completions, reward term, that it learns."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import gkd
from agents.parts import sgd
from agents.parts.contract import Spec, Transition
from agents.parts.language import sampling, sequences, transformer
from agents.parts.language.sequences import EOS, PAD

P, T, V, B = 4, 3, 9, 5
SPEC = Spec(
    observation=jax.ShapeDtypeStruct((P + T,), np.dtype(np.int32)),
    num_actions=V,
    action=jax.ShapeDtypeStruct((T,), np.dtype(np.int32)),
)
STUDENT = transformer.Config(V, width=12, layers=1, heads=2, kv_heads=1)
TEACHER = transformer.Config(V, width=20, layers=2, heads=2, kv_heads=2)
PROMPTS = jnp.array(
    [[4, 5, PAD, PAD], [6, 4, 7, PAD], [8, 6, 5, 4], [7, 8, PAD, PAD], [5, 7, 6, PAD]]
)
REFERENCES = jnp.array([[4, 5, 6], [EOS, 0, 0], [7, EOS, 0], [8, 8, EOS], [5, EOS, 0]])
LENGTHS = np.array([3, 1, 2, 3, 2])
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
def state():
    return make().init(jax.random.key(3))


def log_probabilities(state):
    """Of all tokens before each token of the references, student and teacher."""
    both = []
    for name, network in (("policy", STUDENT), ("teacher", TEACHER)):
        logits = sampling.completion_logits(
            state.params[name], network, PROMPTS, REFERENCES
        )
        both.append(np.asarray(jax.nn.log_softmax(logits), np.float64))
    return both


def update(agent, state, batch=BATCH):
    fresh = agent.init(jax.random.key(3))  # its optimiser; the networks are those given
    return jax.jit(agent.update)(fresh._replace(params=state.params), batch)


def test_the_loss_is_the_mean_divergence_over_the_completions_tokens(state):
    """Tokens after EOS do not count; the two means weigh short completions apart."""
    student, teacher = log_probabilities(state)
    forward = (np.exp(teacher) * (teacher - student)).sum(axis=-1)
    inside = np.arange(T)[None] < LENGTHS[:, None]
    _, metrics = update(make(divergence="forward_kl"), state)
    wanted = ((forward * inside).sum(axis=1) / LENGTHS).mean()
    assert metrics["policy_loss"] == pytest.approx(wanted, rel=1e-4)
    assert metrics["truncated"] == pytest.approx(0.2)
    reverse = (np.exp(student) * (student - teacher)).sum(axis=-1)
    agent = make(divergence="reverse_kl", average="token_mean", chunk=4)
    _, metrics = update(agent, state)
    wanted = (reverse * inside).sum() / LENGTHS.sum()
    assert metrics["policy_loss"] == pytest.approx(wanted, rel=1e-4)


def test_the_teachers_temperature_sharpens_only_the_teacher(state):
    student, teacher = log_probabilities(state)
    sharp = teacher / 0.1
    sharp -= np.log(np.exp(sharp).sum(axis=-1, keepdims=True))
    forward = (np.exp(sharp) * (sharp - student)).sum(axis=-1)
    inside = np.arange(T)[None] < LENGTHS[:, None]
    _, metrics = update(make(teacher_temperature=0.1), state)
    wanted = ((forward * inside).sum(axis=1) / LENGTHS).mean()
    assert metrics["policy_loss"] == pytest.approx(wanted, rel=1e-3)


def test_seq_kd_is_the_likelihood_of_the_completions(state):
    student, _ = log_probabilities(state)
    taken = np.take_along_axis(student, np.asarray(REFERENCES)[..., None], 2)[..., 0]
    inside = np.arange(T)[None] < LENGTHS[:, None]
    _, metrics = update(make(**gkd.SEQ_KD), state)
    wanted = -((taken * inside).sum(axis=1) / LENGTHS).mean()
    assert metrics["policy_loss"] == pytest.approx(wanted, rel=1e-4)


def test_the_teacher_never_learns(state):
    after, _ = update(make(), state)
    assert set(after.opt_state) == {"policy"}
    jax.tree.map(
        np.testing.assert_array_equal, after.params["teacher"], state.params["teacher"]
    )
    assert not np.array_equal(
        after.params["policy"]["embed"], state.params["policy"]["embed"]
    )


def test_completions_come_from_the_student_the_references_or_the_teacher(state, key):
    """Training calls; in evaluation the student is greedy, whatever the source."""
    cases = {
        "student": make(on_policy=1.0),
        "references": make(on_policy=0.0),
        "teacher": make(on_policy=0.0, source="teacher", teacher_temperature=1e-3),
    }
    found = {
        name: jax.jit(agent.act)(state.params, key, OBSERVATION, 0, False)
        for name, agent in cases.items()
    }
    tokens, extras = found["student"]
    scores = sampling.score(state.params["policy"], STUDENT, PROMPTS, tokens)
    np.testing.assert_allclose(extras["log_probs"], scores, atol=1e-4)
    np.testing.assert_array_equal(found["references"][0], REFERENCES)
    greedy = sampling.generate(state.params["teacher"], TEACHER, key, PROMPTS, T, 0.0)
    np.testing.assert_array_equal(found["teacher"][0], greedy.tokens)
    assert found["references"][1] == found["teacher"][1] == ()
    evaluated, _ = cases["teacher"].act(state.params, key, OBSERVATION, 0, True)
    greedy = sampling.generate(state.params["policy"], STUDENT, key, PROMPTS, T, 0.0)
    np.testing.assert_array_equal(evaluated, greedy.tokens)


def test_without_lambda_a_training_call_runs_no_network(state, key, monkeypatch):
    """Its actors wait for no generation: the branch that would is not taken."""
    calls = []

    def counted(*arguments):
        jax.debug.callback(lambda: calls.append(1))
        return sampling.Completion(REFERENCES, jnp.zeros((B, T)))

    monkeypatch.setattr(sampling, "generate", counted)
    act = jax.jit(make(on_policy=0.0).act)
    for evaluation, wanted in ((False, 0), (True, 1)):
        jax.block_until_ready(act(state.params, key, OBSERVATION, 0, evaluation))
        jax.effects_barrier()
        assert len(calls) == wanted


def test_reward_loss_by_hand():
    """Two completions: log p = -1 and -2, rewards 3 and 1, the second one stale."""
    log_probs = jnp.array([[-0.5, -0.5, 0.0], [-2.0, 0.0, 0.0]])
    old = jnp.array([[-1.0, -1.0, 0.0], [-1.5, 0.0, 0.0]])
    loss, weights = gkd.reward_loss(log_probs, old, jnp.array([3.0, 1.0]))
    # The first ratio is e, cut to 1; advantages are 3 - 1 and 1 - 3.
    assert weights.tolist() == pytest.approx([1, np.exp(-0.5)])
    by_hand = -(1 * 2 * -1 + np.exp(-0.5) * -2 * -2) / 2
    assert loss == pytest.approx(by_hand, rel=1e-6)


def test_the_score_and_the_divergence_are_weighed(state):
    """Eq. (5): the loss is alpha D minus (1 - alpha) times the score term."""
    old = sampling.score(state.params["policy"], STUDENT, PROMPTS, REFERENCES)
    batch = BATCH._replace(extras={"log_probs": old})
    _, metrics = update(make(divergence_weight=0.25), state, batch)
    assert metrics["ratio_mean"] == pytest.approx(1, abs=1e-5)
    gain, _ = gkd.reward_loss(old, old, BATCH.reward)
    wanted = 0.25 * metrics["divergence"] + 0.75 * gain
    assert metrics["policy_loss"] == pytest.approx(float(wanted), rel=1e-4)


def test_measures_are_0_for_equal_networks_and_exact_otherwise(state, key):
    agent = make(teacher=STUDENT)
    alike = {"policy": state.params["policy"], "teacher": state.params["policy"]}
    measured = jax.jit(agent.measure)(alike, key, OBSERVATION)
    assert measured["forward_kl"] == pytest.approx(0, abs=1e-5)
    assert measured["reverse_kl"] == pytest.approx(0, abs=1e-5)
    student, _ = log_probabilities(state)
    taken = np.take_along_axis(student, np.asarray(REFERENCES)[..., None], 2)[..., 0]
    inside = np.arange(T)[None] < LENGTHS[:, None]
    wanted = (taken * inside).sum(axis=1).mean()
    assert measured["reference_log_prob"] == pytest.approx(wanted, rel=1e-4)


def test_forward_kl_is_the_mean_log_ratio_of_the_teachers_completions(state, key):
    """Over many samples, the sums of exact divergences equal the sampled ratio."""
    many = jnp.broadcast_to(OBSERVATION[:1], (3_000, P + T))
    measured = jax.jit(make().measure)(state.params, key, many)
    prompts, columns = many[:, :P], T
    generate = jax.jit(
        lambda: sampling.generate(
            state.params["teacher"], TEACHER, jax.random.key(8), prompts, columns
        )
    )
    tokens, teacher = generate()
    student = sampling.score(state.params["policy"], STUDENT, prompts, tokens)
    ratio = np.asarray(teacher.sum(axis=1) - student.sum(axis=1))
    error = ratio.std() / np.sqrt(len(ratio))
    assert abs(measured["forward_kl"] - ratio.mean()) < 5 * error
    assert error < 0.1 * ratio.mean()


@pytest.mark.slow
def test_on_policy_distillation_lowers_the_divergence_on_its_own_completions(key):
    agent = make(divergence="reverse_kl")
    act, learn = jax.jit(agent.act), jax.jit(agent.update)
    measure, state = jax.jit(agent.measure), agent.init(key)
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
        ({"source": "policy"}, "source must be one of reference, teacher, got"),
        ({"teacher_temperature": 0.0}, "teacher_temperature must be above 0, got 0"),
        (
            {"divergence_weight": 0.5, "on_policy": 0.5},
            "on_policy must be at least 1, got 0.5",
        ),
        ({"divergence_weight": 0.5, "batch_size": 1}, "batch_size must be at least 2"),
        ({"chunk": -1}, "chunk must be at least 0, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(gkd.Config(), **settings)


def test_a_teacher_with_another_vocabulary_is_refused():
    with pytest.raises(ValueError, match="vocabulary must be 0 or .* 9, got 10"):
        make(teacher=dataclasses.replace(TEACHER, vocabulary=10))


def test_the_mask_has_the_lengths_of_this_file():
    np.testing.assert_array_equal(sequences.completion_length(REFERENCES), LENGTHS)
