"""`munchausen merge`: what it writes and prints, and its refusals."""

from pathlib import Path

import pytest

from experiments import cli
from launch.pretrained import safetensors
from tests.launch.pretrained.checkpoints import change, copy


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Directories `base`, `one` and `two`: task vectors are 1 and -1 in one norm."""
    monkeypatch.chdir(tmp_path)
    for name, difference in (("base", 0), ("one", 1), ("two", -1)):
        directory = copy("gemma2", tmp_path)
        change(directory, lambda tensors, by=difference: shift(tensors, by))
        directory.rename(tmp_path / name)
    return tmp_path


def shift(tensors, difference):
    tensors["model.norm.weight"] = tensors["model.norm.weight"] + difference


def norm(directory):
    return safetensors.load(Path(directory)).params["norm"]


def test_it_writes_the_merge_and_says_how_far_the_sources_differ(sources, capsys):
    line = "merge one two --base base --output new --weight 0.25 --fraction 0.5"
    assert cli.main(line.split()) == 0
    assert capsys.readouterr().out == (
        "cosine between the first two sources' differences from the base, by layer: "
        "-1.000 to 0.000\nnew\n"
    )
    # Opposite vectors are merged linearly: 0.75 - 0.25, of which half.
    assert norm("new") - norm("base") == pytest.approx(0.25, abs=1e-5)


def test_without_a_base_the_merge_is_linear(sources, capsys):
    assert cli.main("merge one two two --method lerp --output new".split()) == 0
    assert capsys.readouterr().out == "new\n"
    assert norm("new") - norm("base") == pytest.approx(-1 / 3, abs=1e-5)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "name the runs or checkpoints to merge; one alone is exported"),
        ("one nowhere --output new", "nowhere is not a directory"),
        ("one --base nowhere --output new", "nowhere is not a directory"),
        ("one", "--output must name a directory to make"),
        (
            "one --output two",
            "--output must name a directory to make, but two exists",
        ),
        ("one two --output new", "--method slerp needs --base, the weights with "),
        ("one --fraction 0.5 --output new", "--fraction needs --base, from which to "),
        ("one --weight 0.5 --output new", "--weight is for two sources, got 1: "),
        ("one two --weight 2 --output new", "--weight must be at least 0 and at most "),
        ("one two --method mean --output new", "--method must be one of slerp, lerp"),
    ],
)
def test_mistakes_end_in_one_line_before_anything_is_written(
    line, message, sources, capsys
):
    before = sorted(sources.rglob("*"))
    assert cli.main(["merge", *line.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"munchausen: {message}") and error.count("\n") == 1
    assert sorted(sources.rglob("*")) == before
