"""Summaries of facts about one subject, with an exact checker of what they claim.

A prompt lists facts, such as "ann has ball .", in random order, then asks for a
subject, as in "ann ?". The reference names the two facts about it in random order, in
one sentence, "ann has ball and sees cup .", or in two, "ann has ball . ann sees cup .".
In a share of references one object is wrong: planted errors, as in summaries of people.

The score of a completion is the share of its claims that the facts entail. A claim is a
verb and an object of a sentence; a sentence that does not follow the grammar, or does
not end, is one claim that is not entailed. An empty completion scores 0. As in natural
language inference, a claim about another subject counts, and so a single claim is
enough for a score of 1: ROUGE alone shows that a summary omits one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from environments.checks import InvalidSetting, check_at_least
from environments.language.task import LanguageEnvironment
from environments.language.vocabulary import EOS, Vocabulary, completion_length

SUBJECTS = ("ann", "ben", "cat", "dan", "eva", "fay", "gus", "hal", "ida", "jon")
VERBS = ("has", "sees", "wants", "likes", "finds", "sells")
OBJECTS = tuple(
    "apple ball book boat bell bike chair coat cup desk dish door drum fish flag fork "
    "glass hat key kite lamp map milk nut oven pear pen plant plate ring rope shoe "
    "soap sock spoon tent tree vase watch wheel wine".split()
)
# Of a claim; see `kinds`.
KINDS = ("entailed", "misplaced", "invented", "ungrammatical")
_FACTS_OF_EACH = 2  # facts about each subject of a prompt
_LONGEST = 9  # tokens of the longest reference, EOS included

Fact = tuple[str, str, str]  # subject, verb, object


@dataclass(frozen=True)
class Facts:
    """Facts and summaries of them.

    Attributes:
        facts: number of facts of a prompt, two about each of its subjects; even.
        planted: share of references in which the object of one claim is wrong.
        completion_columns: tokens of a completion; a reference has at most 9 with EOS.
        prompts: number of distinct prompts in training; 0: no end.
    """

    facts: int = 6
    planted: float = 0.3
    completion_columns: int = 16
    prompts: int = 0

    def __post_init__(self) -> None:
        most = _FACTS_OF_EACH * len(SUBJECTS)
        if self.facts % _FACTS_OF_EACH or not 0 < self.facts <= most:
            raise InvalidSetting(
                "environment.facts", self.facts, f"even and between 2 and {most}"
            )
        if not 0.0 <= self.planted <= 1.0:
            raise InvalidSetting("environment.planted", self.planted, "between 0 and 1")
        check_at_least(
            "environment.completion_columns", self.completion_columns, _LONGEST
        )
        check_at_least("environment.prompts", self.prompts, 0)


def draw_facts(generator: np.random.Generator, number: int) -> list[Fact]:
    """`number` facts in random order, two about each subject, all objects different."""
    few = number // _FACTS_OF_EACH
    subjects = generator.choice(len(SUBJECTS), few, replace=False)
    verbs = generator.integers(len(VERBS), size=number)
    objects = generator.choice(len(OBJECTS), number, replace=False)
    return [
        (SUBJECTS[subjects[order % few]], VERBS[verbs[order]], OBJECTS[objects[order]])
        for order in generator.permutation(number)
    ]


def summarise(
    generator: np.random.Generator, about: Sequence[Fact], planted: float
) -> list[str]:
    """Words that name facts about one subject, in random order and form.

    Args:
        generator: of the order, the form and the error.
        about: the facts, all about the same subject.
        planted: probability that one object is replaced by another one.
    """
    claimed = [about[index] for index in generator.permutation(len(about))]
    if generator.random() < planted:
        wrong = int(generator.integers(len(claimed)))
        subject, verb, _ = claimed[wrong]
        true = [thing for _, _, thing in about]
        others = [word for word in OBJECTS if word not in true]
        claimed[wrong] = (subject, verb, others[generator.integers(len(others))])
    one_sentence = generator.random() < 0.5
    words = list(claimed[0])
    for subject, verb, thing in claimed[1:]:
        words += ["and", verb, thing] if one_sentence else [".", subject, verb, thing]
    return [*words, "."]


def claims(words: Sequence[str]) -> list[Fact | None]:
    """The claims of a summary, in its order; None: a sentence that is not grammatical.

    A sentence is a subject, then a verb and an object, then any number of "and", verb
    and object, then a full stop.
    """
    found: list[Fact | None] = []
    sentence: list[str] = []
    for word in words:
        if word == ".":
            found += _claims_of(sentence)
            sentence = []
        else:
            sentence.append(word)
    return [*found, None] if sentence else found


def _claims_of(sentence: Sequence[str]) -> list[Fact | None]:
    """The claims of one sentence without its full stop."""
    subject, verbs, objects = sentence[:1], sentence[1::3], sentence[2::3]
    grammatical = (
        len(sentence) % 3 == 0
        and set(subject) <= set(SUBJECTS)
        and set(verbs) <= set(VERBS)
        and set(objects) <= set(OBJECTS)
        and set(sentence[3::3]) <= {"and"}
    )
    if not grammatical or not sentence:
        return [None]
    return [
        (sentence[0], verb, thing) for verb, thing in zip(verbs, objects, strict=True)
    ]


def kinds(facts: Sequence[Fact], words: Sequence[str]) -> list[str]:
    """The kind of each claim of a summary.

    It is `entailed`; `invented`, if no fact has its object; `misplaced`, if a fact has
    its object with another subject or verb; or `ungrammatical`.
    """
    objects = {thing for _, _, thing in facts}
    found = []
    for claim in claims(words):
        if claim is None:
            found.append("ungrammatical")
        elif claim in facts:
            found.append("entailed")
        else:
            found.append("misplaced" if claim[2] in objects else "invented")
    return found


def entailed(facts: Sequence[Fact], words: Sequence[str]) -> float:
    """Share of the claims that are among the facts; a summary without claims has 0."""
    found = claims(words)
    return sum(claim in facts for claim in found) / len(found) if found else 0.0


def read_facts(words: Sequence[str]) -> list[Fact]:
    """The facts of a prompt's words, without the question at its end."""
    return [
        (words[start], words[start + 1], words[start + 2])
        for start in range(0, len(words) - 2, 4)
    ]


class Summaries:
    """Prompts, references and scores; see `environments.language.task.Task`."""

    def __init__(self, config: Facts):
        words = (*SUBJECTS, *VERBS, *OBJECTS, ".", "and", "?")
        self.vocabulary = Vocabulary(words)
        self.prompt_columns = 4 * config.facts + 2
        self.completion_columns = config.completion_columns
        self._config = config

    def draw(
        self, generator: np.random.Generator, evaluation: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Facts with a question, and a summary, which may be wrong."""
        del evaluation
        known = draw_facts(generator, self._config.facts)
        asked = known[generator.integers(len(known))][0]
        about = [fact for fact in known if fact[0] == asked]
        prompt = [word for fact in known for word in (*fact, ".")] + [asked, "?"]
        summary = summarise(generator, about, self._config.planted)
        return self.vocabulary.encode(prompt), self.vocabulary.encode(summary)

    def score(self, prompt: np.ndarray, completion: np.ndarray) -> float:
        """Share of the completion's claims that the prompt entails."""
        known = read_facts(self.vocabulary.decode(prompt))
        given = completion[: completion_length(completion)].tolist()
        words = [self.vocabulary.words[token] for token in given if token != EOS]
        return entailed(known, words)


def make(
    config: Facts, num_environments: int, seed: int, evaluation: bool = False
) -> LanguageEnvironment:
    """N lanes of facts."""
    task = Summaries(config)
    return LanguageEnvironment(
        task, num_environments, seed, evaluation, prompts=config.prompts
    )
