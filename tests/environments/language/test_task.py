"""The environment of a language task: rows by hand, lanes, held-out prompts."""

import zlib

import dm_env
import numpy as np
import pytest

import environments
from environments import Arithmetic
from environments.language.task import LanguageEnvironment, is_held_out
from environments.language.vocabulary import EOS, PAD, Vocabulary

FIRST, LAST = int(dm_env.StepType.FIRST), int(dm_env.StepType.LAST)


class Listed:
    """A task whose prompts and references are listed, in any order."""

    vocabulary = Vocabulary("abcdefg")
    prompt_columns = 3
    completion_columns = 4

    def __init__(self, pairs):
        self._pairs = [tuple(np.array(part, np.int32) for part in p) for p in pairs]

    def draw(self, generator, evaluation):
        return self._pairs[generator.integers(len(self._pairs))]

    def score(self, prompt, completion):
        return float(10 * prompt[0] + completion[0])


def prompts(held_out, number):
    """The first prompts of one kind, of two tokens each."""
    pairs = ([a, b] for a in range(4, 11) for b in range(4, 11))
    found = [each for each in pairs if is_held_out(np.array(each)) == held_out]
    return found[:number]


def make(references, lanes=1, seed=0, **options):
    training = prompts(held_out=False, number=len(references))
    task = Listed(zip(training, references, strict=True))
    return LanguageEnvironment(task, lanes, seed, **options)


@pytest.mark.parametrize(
    ("reference", "padded"),
    [
        ([6], [6, EOS, PAD, PAD]),
        ([6, EOS], [6, EOS, PAD, PAD]),
        ([6, 7, 8], [6, 7, 8, EOS]),
        ([6, 7, 8, 9], [6, 7, 8, 9]),  # was cut: it has no end
        ([], [PAD, PAD, PAD, PAD]),  # no reference
    ],
)
def test_a_row_is_the_prompt_and_the_reference_each_padded(reference, padded):
    environment = make([reference])
    [row] = environment.reset().observation
    assert row.dtype == np.int32
    assert row.tolist() == [*prompts(False, 1)[0], PAD, *padded]


@pytest.mark.parametrize(
    ("prompt", "reference", "given"),
    [
        ([], [6], "a prompt of 1 to 3 tokens, got 0"),
        ([4, 5, 6, 7], [6], "a prompt of 1 to 3 tokens, got 4"),
        ([4, 11], [6], r"a prompt .* between 1 and 10 \(0 is padding\), got 4 to 11"),
        ([4, 5], [6, PAD], r"a reference .* between 1 and 10 .*, got 0 to 6"),
        ([4, 5], [6, 7, 8, 9, 4], "a reference of 1 to 4 tokens, got 5"),
        ([4, 5], [6, EOS, 7], r"a reference that ends at its first EOS \(1\), got \["),
    ],
)
def test_a_task_that_draws_no_row_is_refused(prompt, reference, given, monkeypatch):
    monkeypatch.setattr("environments.language.task.is_held_out", lambda prompt: False)
    environment = LanguageEnvironment(Listed([(prompt, reference)]), 1, seed=0)
    with pytest.raises(ValueError, match="a task must draw " + given):
        environment.reset()


@pytest.mark.parametrize(
    ("references", "given"),
    [
        ([[], [6]], "of 1 to 4 tokens, got 0"),  # the first draw is the second pair
        ([[6, 7], []], r"with each prompt or with none, but .* then \[6, 7\]"),
    ],
)
def test_a_task_has_references_for_all_prompts_or_for_none(references, given):
    environment = make(references, lanes=20)
    with pytest.raises(ValueError, match="a task must draw a reference " + given):
        for _ in range(20):
            environment.reset()


def test_an_episode_is_one_step():
    environment = make([[6]], lanes=3)
    first = environment.reset()
    assert first.step_type.tolist() == [FIRST] * 3
    assert (first.reward.tolist(), first.discount.tolist()) == ([0] * 3, [1] * 3)
    actions = np.array([[5, 1, 0, 0], [6, 1, 0, 0], [10, 10, 10, 10]], np.int32)
    last = environment.step(actions)
    assert last.step_type.tolist() == [LAST] * 3
    begin = 10 * prompts(False, 1)[0][0]
    assert last.reward.tolist() == [begin + 5, begin + 6, begin + 10]
    assert last.discount.tolist() == [0] * 3
    assert (last.reward.dtype, last.discount.dtype) == (np.float32, np.float32)
    np.testing.assert_array_equal(last.observation, first.observation)
    ignored = np.full((3, 4), 99)
    assert environment.step(ignored).step_type.tolist() == [FIRST] * 3


def test_a_step_before_the_first_reset_resets():
    timestep = make([[6]], lanes=2).step(np.zeros((2, 4), np.int32))
    assert timestep.step_type.tolist() == [FIRST] * 2


def test_specs_describe_the_tokens():
    environment = make([[6]])
    seen, action = environment.observation_spec(), environment.action_spec()
    assert (seen.shape, action.shape) == ((7,), (4,))
    assert (seen.dtype, action.dtype) == (np.int32, np.int32)
    assert (int(action.minimum), int(action.maximum)) == (0, 10)
    assert (int(seen.minimum), int(seen.maximum)) == (0, 10)


def test_the_spec_has_no_token_in_the_place_of_references_that_do_not_exist():
    environment = make([[]])
    assert environment.observation_spec().maximum.tolist() == [10] * 3 + [PAD] * 4
    environment.observation_spec().validate(environment.reset().observation[0])


@pytest.mark.parametrize(
    ("actions", "given"),
    [
        (np.zeros((3, 4), np.int32), r"\[3, 4\] int32"),
        (np.zeros((2, 5), np.int32), r"\[2, 5\] int32"),
        (np.zeros(2, np.int32), r"\[2\] int32"),
        (np.zeros((2, 4), np.float32), r"\[2, 4\] float32"),
        (np.full((2, 4), 11), "11 to 11"),
        (np.full((2, 4), -1), "-1 to -1"),
    ],
)
def test_actions_that_are_no_completions_are_refused(actions, given):
    environment = make([[6]], lanes=2)
    environment.reset()
    rule = r"^actions must be tokens \[2, 4\] between 0 and 10, got "
    with pytest.raises(ValueError, match=rf"{rule}{given}$"):
        environment.step(actions)


def test_the_prompt_alone_decides_whether_it_is_held_out():
    tokens = [4, 9, 300]
    checksum = zlib.crc32(b"\x04\0\0\0\x09\0\0\0\x2c\x01\0\0")
    assert is_held_out(np.array(tokens, np.int32)) == (checksum % 10 == 0)
    many = [np.array([a, b]) for a in range(60) for b in range(50)]
    assert 240 < sum(is_held_out(each) for each in many) < 360
    assert all(is_held_out(p) == is_held_out(p.astype(np.int16)) for p in many)


def rows(seed, lanes, evaluation=False, steps=3, **settings):
    environment = environments.make(
        Arithmetic(digits=2, **settings), lanes, seed, evaluation
    )
    actions = np.zeros((lanes, 4), np.int32)
    seen = [environment.reset().observation]
    for _ in range(2 * steps):
        timestep = environment.step(actions)
        if timestep.step_type[0] == FIRST:
            seen.append(timestep.observation)
    return np.stack(seen)


def test_a_lane_depends_on_its_seed_alone():
    few, many = rows(seed=3, lanes=2), rows(seed=3, lanes=5)
    np.testing.assert_array_equal(few, many[:, :2])
    assert not np.array_equal(many, rows(seed=4, lanes=5))
    assert len(np.unique(many[0], axis=0)) == 5, "lanes differ"


def test_training_and_evaluation_share_no_prompt():
    kinds = [rows(0, 7, evaluation, steps=90)[..., :6] for evaluation in (False, True)]
    training, held_out = ({tuple(row) for row in k.reshape(-1, 6)} for k in kinds)
    assert len(training) > 400 and len(held_out) > 200
    assert not training & held_out


def test_few_prompts_are_the_same_for_every_seed():
    def seen(seed, number):
        found = rows(seed, 7, steps=60, prompts=number)
        return {tuple(row) for row in found.reshape(-1, found.shape[-1])}

    assert len(seen(0, 13)) == 13
    assert seen(0, 13) == seen(1, 13)
    assert seen(0, 5) < seen(0, 13), "the first of them"
    unlimited = rows(0, 7, evaluation=True)
    np.testing.assert_array_equal(rows(0, 7, evaluation=True, prompts=13), unlimited)


def test_more_prompts_than_the_task_has_are_refused():
    references = [[6], [7], [8]]
    with pytest.raises(
        ValueError, match=r"environment\.prompts must be at most 3, .*, got 4"
    ):
        make(references, prompts=4)
    seen = make(references, lanes=40, prompts=3).reset().observation
    assert len(np.unique(seen, axis=0)) == 3


def test_a_task_without_prompts_for_evaluation_is_refused():
    environment = make([[6]], evaluation=True)
    with pytest.raises(
        ValueError, match="must have prompts for evaluation, but 20,000"
    ):
        environment.reset()


def test_there_is_at_least_one_lane():
    with pytest.raises(ValueError, match="environments must be at least 1, got 0"):
        make([[6]], lanes=0)


def test_further_completions_are_scored_and_change_nothing():
    environment = make([[6]], lanes=2)
    environment.reset()
    begin = 10 * prompts(False, 1)[0][0]
    further = np.full((2, 3, 4), 7, np.int32)
    further[1, :, 0] = [4, 5, 6]
    scores = environment.score(further)
    assert scores.dtype == np.float32
    assert scores.tolist() == [[begin + 7] * 3, [begin + 4, begin + 5, begin + 6]]
    last = environment.step(further[:, 0])
    assert last.step_type.tolist() == [LAST] * 2
    assert last.reward.tolist() == [begin + 7, begin + 4]
    with pytest.raises(ValueError, match="score needs prompts that wait"):
        environment.score(further)


@pytest.mark.parametrize(
    ("completions", "message"),
    [
        (np.zeros((2, 4), np.int32), r"must be \[N, K, T\], got \[2, 4\]"),
        (np.zeros((2, 3, 5), np.int32), r"\[2, 4\] between 0 and 10, got \[2, 5\]"),
        (np.full((2, 3, 4), 11), "between 0 and 10, got 11 to 11"),
    ],
)
def test_further_completions_must_be_of_the_vocabulary(completions, message):
    environment = make([[6]], lanes=2)
    environment.reset()
    with pytest.raises(ValueError, match=message):
        environment.score(completions)
