"""Facts: what a summary claims, and which of it is true."""

import pytest

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
