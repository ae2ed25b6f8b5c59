"""Summaries of facts about one subject, with an exact checker of what they claim.

A prompt lists facts, such as "ann has ball .", in random order, then asks for a subject,
as in "ann ?". The reference names the two facts about it in random order, in one
sentence or in two: "ann has ball and sees cup ." or "ann has ball . ann sees cup .". In
a share of references one object is wrong: planted errors, as in summaries of people.

The score of a completion is the share of its claims that the facts entail. A claim is a
verb and an object of a sentence; a sentence that does not follow the grammar, or does
not end, is one claim that is not entailed. An empty completion scores 0. As in natural
language inference, a claim about another subject counts, and so a single claim is
enough for a score of 1: what is left out shows in ROUGE only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from environments.checks import InvalidSetting
from environments.language import task

SUBJECTS = ("ann", "ben", "cat", "dan", "eva", "fay", "gus", "hal", "ida", "jon")
VERBS = ("has", "sees", "wants", "likes", "finds", "sells")
OBJECTS = tuple(
    "apple ball book boat bell bike chair coat cup desk dish door drum fish flag fork "
    "glass hat key kite lamp map milk nut oven pear pen plant plate ring rope shoe soap "
    "sock spoon tent tree vase watch wheel wine".split()
)
_FACTS_OF_EACH = 2  # facts about each subject of a prompt

Fact = tuple[str, str, str]  # subject, verb, object
