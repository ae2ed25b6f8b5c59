"""Text metrics of completions that evaluations wrote: ROUGE, Self-BLEU and lengths.

They are computed afterwards from `samples.jsonl`, so they never slow a run. ROUGE is
Google's `rouge-score` with stemming off, BLEU is `sacrebleu`; both are in the extra
`language`.
"""

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

_ROUGE = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}


class TextMetrics(NamedTuple):
    """Means over the completions of one evaluation.

    Attributes:
        rouge: F1 against the references by name, between 0 and 100; empty without
            references.
        self_bleu: BLEU of each completion against all others, between 0 and 100; the
            lower, the more diverse; None if there are fewer than two.
        length: words of a completion.
    """

    rouge: dict[str, float]
    self_bleu: float | None
    length: float


def measure(completions: Sequence[str], references: Sequence[str]) -> TextMetrics:
    """Text metrics of completions.

    Args:
        completions: texts, at least one.
        references: one for each completion; an empty text: there is none.

    Raises:
        ModuleNotFoundError: the extra `language` is not installed.
    """
    pairs = [
        (reference, completion)
        for reference, completion in zip(references, completions, strict=True)
        if reference
    ]
    return TextMetrics(
        rouge=rouge(pairs) if pairs else {},
        self_bleu=self_bleu(completions) if len(completions) > 1 else None,
        length=float(np.mean([len(text.split()) for text in completions])),
    )


def rouge(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Mean F1 of unigrams, bigrams and longest common subsequence, times 100.

    Args:
        pairs: reference and completion, at least one pair.

    Source: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004.
    """
    scorer = _package("rouge_score.rouge_scorer").RougeScorer(list(_ROUGE))
    scores = [scorer.score(reference, completion) for reference, completion in pairs]
    return {
        name: 100.0 * float(np.mean([score[key].fmeasure for score in scores]))
        for key, name in _ROUGE.items()
    }


def self_bleu(completions: Sequence[str]) -> float:
    """Mean BLEU-4 of each completion with all the others as its references.

    Args:
        completions: texts, at least two.

    Source: Zhu et al., "Texygen: A Benchmarking Platform for Text Generation Models",
    2018, section 3.1.3.
    """
    sacrebleu = _package("sacrebleu")
    scores = [
        sacrebleu.sentence_bleu(
            completion,
            [*completions[:index], *completions[index + 1 :]],
            tokenize="none",
        ).score
        for index, completion in enumerate(completions)
    ]
    return float(np.mean(scores))


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"text metrics need the package {error.name}: install it with "
            "`pip install 'munchausen[language]'`"
        ) from error
