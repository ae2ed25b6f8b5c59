"""Text metrics against numbers worked out by hand."""

import sys

import pytest

from experiments import language_metrics
from launch.runs.logs import Sample

REFERENCE = "ann has ball and sees cup"


def test_rouge_of_a_shorter_completion():
    # Unigrams: 3 of 3 and 3 of 6. Bigrams: 1 of 2 and 1 of 5. Subsequence: 3.
    assert language_metrics.rouge([(REFERENCE, "ann has cup")]) == {
        "ROUGE-1": pytest.approx(100 * 2 / 3),
        "ROUGE-2": pytest.approx(100 * 2 / 7),
        "ROUGE-L": pytest.approx(100 * 2 / 3),
    }


def test_rouge_sees_the_order_and_is_a_mean_over_completions():
    found = language_metrics.rouge([("a b", "b a"), ("a b", "a b")])
    assert found == {
        "ROUGE-1": pytest.approx(100),
        "ROUGE-2": pytest.approx(50),
        "ROUGE-L": pytest.approx(75),
    }


def test_self_bleu_of_equal_different_and_similar_completions():
    assert language_metrics.self_bleu(["a b c d e"] * 3) == pytest.approx(100)
    assert language_metrics.self_bleu(["a b c d e", "f g h i j"]) == pytest.approx(0)
    # 4 of 5 unigrams, then 3 of 4, 2 of 3, 1 of 2: the geometric mean is 0.2 ** 0.25.
    similar = ["a b c d e", "a b c d f"]
    assert language_metrics.self_bleu(similar) == pytest.approx(66.874, abs=1e-3)


def test_measure_leaves_out_what_cannot_be_measured():
    alone = language_metrics.measure(["a b c"], [""])
    assert alone == {"length": 3.0}
    two = language_metrics.measure(["a b c d", "a"], ["a b c d", ""])
    assert list(two) == ["ROUGE-1", "ROUGE-2", "ROUGE-L", "Self-BLEU", "length"]
    assert two["ROUGE-2"] == pytest.approx(100)
    assert two["length"] == 2.5


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"need the package sacrebleu: .*lang"
    ):
        language_metrics.self_bleu(["a", "b"])


def test_wrong_claims_are_shares_of_the_claims_of_all_samples():
    prompt = "ann has ball . ben sees cup . ann ?"
    samples = [
        Sample(prompt, "ann has ball .", 1.0, ""),
        Sample(prompt, "ann has cup . ann has rope .", 0.0, ""),
        Sample(prompt, "ann has ball and has cup . ann has ball . has", 0.5, ""),
    ]
    assert language_metrics.of_claims(samples) == pytest.approx(
        {
            "entailed": 100 * 3 / 7,
            "misplaced": 100 * 2 / 7,
            "invented": 100 / 7,
            "ungrammatical": 100 / 7,
        }
    )
    assert set(language_metrics.of_claims(samples[:0]).values()) == {0.0}
