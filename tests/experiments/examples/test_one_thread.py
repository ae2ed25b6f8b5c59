"""The example of the README learns, is short, and is reproducible."""

import re
import sys
from pathlib import Path

from experiments.examples import one_thread


def output_of(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["one_thread", *arguments])
    one_thread.main()
    return capsys.readouterr().out


def test_it_learns_to_catch(capsys, monkeypatch):
    printed = output_of(capsys, monkeypatch)
    returns = {
        when: float(re.search(rf"{when}: +(\S+)", printed)[1])
        for when in ("before", "after")
    }
    assert returns["before"] < 0.5
    assert returns["after"] >= 0.9


def test_equal_seeds_print_equal_numbers(capsys, monkeypatch):
    once, again, other = (
        output_of(capsys, monkeypatch, "--steps", "200", "--seed", seed)
        for seed in ("7", "7", "8")
    )
    assert once == again != other


def test_it_can_be_read_in_five_minutes():
    assert len(Path(one_thread.__file__).read_text().splitlines()) <= 150
