"""The verbs that take a run directory, with a name of the zoo instead."""

import pytest

from experiments import cli
from launch.policies import zoo


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("verb", ["evaluate", "record"])
def test_help_names_the_policies(verb, capsys):
    assert cli.main([verb, "--help"]) == 0
    assert ", ".join(zoo.names()) in capsys.readouterr().out


def test_an_unknown_name_is_refused_with_the_names_of_the_zoo(elsewhere, capsys):
    assert cli.main(["evaluate", "zoo/mdqn-chess"]) == 2
    assert capsys.readouterr().err == (
        "munchausen: zoo/mdqn-chess is neither a directory nor a policy of the zoo: "
        f"{', '.join(zoo.names())}\n"
    )


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("train --resume zoo/mdqn-catch", "resume"),
        ("collect zoo/mdqn-catch", "collect from"),
        ("report zoo/mdqn-catch", "report"),
    ],
)
def test_what_needs_a_whole_run_refuses_a_policy(line, action, elsewhere, capsys):
    assert cli.main(line.split()) == 2
    assert capsys.readouterr().err == (
        f"munchausen: cannot {action} zoo/mdqn-catch: it holds a trained policy only, "
        "without checkpoints; name a run directory, as `train` printed it\n"
    )
    assert not list(elsewhere.iterdir())


def test_the_video_of_a_policy_goes_to_the_working_directory(elsewhere, capsys):
    assert cli.main(["record", "zoo/mdqn-catch"]) == 0
    assert capsys.readouterr().out == "mdqn-catch.mp4\nsteps 9  returns 1\n"
    assert [path.name for path in elsewhere.iterdir()] == ["mdqn-catch.mp4"]
