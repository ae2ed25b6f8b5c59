"""Sums: prompts, answers and scores worked out by hand."""

import numpy as np
import pytest

import environments
from environments import Arithmetic
from environments.language.arithmetic import Sums
from environments.language.vocabulary import EOS, PAD


def padded(task, text):
    """A completion of the task: the words of a text, EOS, PAD; cut at T."""
    tokens = [*task.vocabulary.encode(text).tolist(), EOS]
    columns = task.completion_columns
    row = (tokens + [PAD] * columns)[:columns]
    return np.array(row, np.int32)


def drawn(config, number=400):
    """Prompts and references as texts."""
    task, generator = Sums(config), np.random.default_rng(7)
    text = task.vocabulary.text
    pairs = [task.draw(generator, evaluation=False) for _ in range(number)]
    return [(text(prompt), text(reference)) for prompt, reference in pairs]


def test_tokens_of_a_sum():
    task = Sums(Arithmetic(digits=2))
    assert len(task.vocabulary) == 16
    assert task.vocabulary.encode("12+9=").tolist() == [5, 6, 14, 13, 15]
    assert (task.prompt_columns, task.completion_columns) == (6, 4)


@pytest.mark.parametrize("digits", [1, 3])
def test_references_are_sums_with_the_least_digit_first(digits):
    pairs = drawn(Arithmetic(digits=digits))
    for prompt, reference in pairs:
        left, right = prompt.removesuffix("=").split("+")
        assert int(reference[::-1]) == int(left) + int(right)
        assert str(int(left)) == left and str(int(right)) == right
        assert max(len(left), len(right)) <= digits
    assert len({prompt for prompt, _ in pairs}) > 50
    longest = max(len(reference) for _, reference in pairs)
    assert longest == digits + 1, "with a carry out of the last column"


@pytest.mark.parametrize(
    ("prompt", "right"),
    [
        ("58+67=", "051211"),  # 5, carry 1; 2, carry 1; 1
        ("4+3=", "07"),
        ("95+5=", "001011"),  # 100
        ("0+0=", "00"),
    ],
)
def test_a_scratch_pad_writes_each_carry_before_its_digit(prompt, right):
    task = Sums(Arithmetic(digits=2, scratch_pad=True))
    assert task.completion_columns == 7
    tokens = task.vocabulary.encode(prompt)
    assert task.score(tokens, padded(task, right)) == 1
    assert task.score(tokens, padded(task, right[1::2])) == 0


def test_references_with_a_scratch_pad_are_right():
    task = Sums(Arithmetic(digits=3, scratch_pad=True))
    generator = np.random.default_rng(11)
    for _ in range(50):
        prompt, reference = task.draw(generator, evaluation=True)
        text = task.vocabulary.text(reference)
        assert task.score(prompt, padded(task, text)) == 1
        left, right = task.vocabulary.text(prompt).rstrip("=").split("+")
        assert int(text[1::2][::-1]) == int(left) + int(right)


@pytest.mark.parametrize(
    ("completion", "exact", "partial"),
    [
        ("521", 1, 1),  # 58 + 67 = 125
        ("531", 0, 3 / 4),
        ("52", 0, 2 / 4),  # its EOS stands where the 1 belongs
        ("5211", 0, 3 / 4),  # never ends
        ("", 0, 0),
        ("125", 0, 2 / 4),  # the 2 and EOS
        ("52=", 0, 3 / 4),
    ],
)
def test_scores(completion, exact, partial):
    task = Sums(Arithmetic(digits=2))
    prompt = task.vocabulary.encode("58+67=")
    assert task.score(prompt, padded(task, completion)) == exact
    shares = Sums(Arithmetic(digits=2, partial=True))
    assert shares.score(prompt, padded(task, completion)) == partial


def test_tokens_after_eos_do_not_count():
    task = Sums(Arithmetic(digits=3))
    prompt = task.vocabulary.encode("1+2=")
    completion = np.array([7, EOS, 9, EOS, 4], np.int32)
    assert task.score(prompt, completion) == 1


def test_the_environment_pays_references():
    config = Arithmetic(digits=2, scratch_pad=True)
    environment = environments.make(config, 5, seed=3)
    [columns] = environment.action_spec().shape
    timestep = environment.reset()
    assert timestep.observation.shape == (5, 13) and columns == 7
    assert environment.step(timestep.observation[:, -7:]).reward.tolist() == [1.0] * 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"digits": 0}, "digits must be between 1 and 18, got 0"),
        ({"digits": 19}, "digits must be between 1 and 18, got 19"),
        ({"prompts": -1}, "prompts must be at least 0, got -1"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=rf"environment\.{message}"):
        Arithmetic(**settings)


def test_large_numbers_are_exact():
    """18 digits: the sum needs more than a double has."""
    for prompt, reference in drawn(Arithmetic(digits=18), number=20):
        left, right = prompt.removesuffix("=").split("+")
        assert int(reference[::-1]) == int(left) + int(right)
