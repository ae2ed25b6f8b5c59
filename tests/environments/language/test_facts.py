"""Facts: what a summary claims, and which of it is true."""

import numpy as np
import pytest

import environments
from environments.language import facts

KNOWN = [("ann", "has", "ball"), ("ben", "sees", "cup"), ("ann", "wants", "hat")]


@pytest.mark.parametrize(
    ("summary", "claims"),
    [
        ("ann has ball .", [("ann", "has", "ball")]),
        (
            "ann has ball and wants hat .",
            [("ann", "has", "ball"), ("ann", "wants", "hat")],
        ),
        (
            "ann has hat . ben sees key .",
            [("ann", "has", "hat"), ("ben", "sees", "key")],
        ),
        ("ann has ball . ben sees", [("ann", "has", "ball"), None]),
        ("ann ball has .", [None]),
        ("ann has ball wants hat . .", [None, None]),
        ("ann has ball and .", [None]),
        ("", []),
    ],
)
def test_claims_of_a_summary(summary, claims):
    assert facts.claims(summary.split()) == claims


@pytest.mark.parametrize(
    ("summary", "share"),
    [
        ("ann has ball and wants hat .", 1.0),
        ("ann has ball .", 1.0),
        ("ben sees cup .", 0.0),
        ("ann has ball and wants ball .", 0.5),
        ("ann has ball . ann has", 0.5),
        ("ann has hat and has key and wants hat .", 1 / 3),
        ("ann", 0.0),
        ("", 0.0),
    ],
)
def test_share_of_entailed_claims(summary, share):
    known = [KNOWN[0], ("ben", "sees", "key"), KNOWN[2]]
    assert facts.entailed(known, summary.split()) == pytest.approx(share)


def test_a_prompt_lists_facts_and_asks_for_a_subject_with_two():
    task = facts.Summaries(environments.Facts(planted=0.0))
    assert len(task.vocabulary) == 64
    assert (task.prompt_columns, task.completion_columns) == (26, 16)
    generator = np.random.default_rng(0)
    forms = set()
    for _ in range(40):
        prompt, reference = task.draw(generator, evaluation=False)
        words = task.vocabulary.decode(prompt)
        assert words[3:24:4] == ["."] * 6
        assert words[25] == "?"
        known = facts.read_facts(words)
        assert len(set(known)) == 6
        about = {fact for fact in known if fact[0] == words[24]}
        summary = task.vocabulary.decode(reference)
        assert len(about) == 2
        assert set(facts.claims(summary)) == about
        forms.add(("and" in summary, facts.claims(summary) == sorted(about)))
    assert len(forms) == 4


def test_a_share_of_references_has_one_wrong_object():
    task = facts.Summaries(environments.Facts(planted=0.3))
    generator = np.random.default_rng(1)
    scores = []
    for _ in range(1_000):
        prompt, reference = task.draw(generator, evaluation=False)
        scores.append(task.score(prompt, np.append(reference, [1, 0])))
    assert set(scores) == {0.5, 1.0}
    # 0.06 is 4 standard errors.
    assert scores.count(0.5) / 1_000 == pytest.approx(0.3, abs=0.06)


def test_a_planted_object_is_not_that_of_the_other_fact():
    """With the same verb twice, it would make the claim true."""
    about = [("ann", "has", "ball"), ("ann", "has", "cup")]
    generator = np.random.default_rng(3)
    for _ in range(500):
        words = facts.summarise(generator, about, planted=1.0)
        assert facts.entailed(about, words) == 0.5


def test_special_tokens_make_a_sentence_ungrammatical():
    task = facts.Summaries(environments.Facts())
    encode = task.vocabulary.encode
    prompt = encode("ann has ball . ben sees key . ann ?".split())
    right = encode("ann has ball .".split())
    assert task.score(prompt, np.append(right, [1, 0])) == 1.0
    assert task.score(prompt, right) == 1.0
    assert task.score(prompt, np.insert(right, 1, 0)) == 0.0
    assert task.score(prompt, np.insert(right, 1, 3)) == 0.0
    assert task.score(prompt, np.array([1, 0, 0])) == 0.0


def test_the_kind_of_each_claim():
    known = [("ann", "has", "ball"), ("ann", "sees", "cup"), ("ben", "has", "key")]
    for summary, expected in {
        "ann has ball and sees cup .": ["entailed", "entailed"],
        "ann has key . ben sees key . cat has key .": 3 * ["misplaced"],
        "ann has rope and sees cup . ann ball .": [
            *("invented", "entailed", "ungrammatical")
        ],
        "ann has ball . ann sees": ["entailed", "ungrammatical"],
        "": [],
    }.items():
        assert facts.kinds(known, summary.split()) == expected
    assert {*facts.KINDS} == {"entailed", "misplaced", "invented", "ungrammatical"}
