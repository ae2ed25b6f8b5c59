"""Text metrics of completions that evaluations wrote: ROUGE, Self-BLEU and lengths.

Of summaries of facts also the shares of true and of wrong claims. All are computed
afterwards from `samples.jsonl`, so they never slow a run. ROUGE is Google's
`rouge-score` with stemming off, BLEU is `sacrebleu`; both are in the extra `language`.
"""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from environments.language import facts
from launch.runs.logs import Sample

_ROUGE = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}


def measure(completions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Text metrics of the completions of one evaluation, by name.

    Args:
        completions: texts, at least one.
        references: one for each completion; an empty text: there is none.

    Returns:
        `ROUGE-1`, `ROUGE-2`, `ROUGE-L` if there are references; `Self-BLEU` if there
        are two completions; `length`, the mean number of words.

    Raises:
        ModuleNotFoundError: the extra `language` is not installed.
    """
    pairs = [
        (reference, completion)
        for reference, completion in zip(references, completions, strict=True)
        if reference
    ]
    found = rouge(pairs) if pairs else {}
    if len(completions) > 1:
        found["Self-BLEU"] = self_bleu(completions)
    lengths = [len(completion.split()) for completion in completions]
    return found | {"length": float(np.mean(lengths))}


def of_samples(
    samples: Sequence[Sample], environment: Mapping[str, Any]
) -> dict[str, float]:
    """As `measure`, for the samples of an evaluation; of facts also `of_claims`.

    Args:
        samples: at least one.
        environment: its configuration, as `config.yaml` has it.
    """
    found = measure(
        [sample.completion for sample in samples],
        [sample.reference for sample in samples],
    )
    is_of_facts = environment["kind"] == facts.Facts.__name__
    return found | of_claims(samples) if is_of_facts else found


def of_claims(samples: Sequence[Sample]) -> dict[str, float]:
    """Percentages of all claims in summaries, by kind; see `facts.kinds`.

    Args:
        samples: of the environment of facts; without any claim all kinds have 0.
    """
    found = [
        kind
        for sample in samples
        for kind in facts.kinds(
            facts.read_facts(sample.prompt.split()), sample.completion.split()
        )
    ]
    return {
        kind: 100.0 * found.count(kind) / max(len(found), 1) for kind in facts.KINDS
    }


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
    """Mean BLEU-4 of each completion against all others, between 0 and 100.

    The lower, the more diverse are the completions.

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
