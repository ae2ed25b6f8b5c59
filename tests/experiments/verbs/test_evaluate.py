"""`munchausen evaluate`."""

import pytest

from experiments import cli
from launch.policies import evaluate
from launch.runs.logs import Episode, Evaluated


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs go to an empty directory, and nothing is ever started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_evaluate_reports_mean_and_standard_error(monkeypatch, capsys, elsewhere):

    def evaluate_run(directory, episodes, seed):
        assert (str(directory), episodes, seed) == (".", 4, 9)
        # deviation 2 / sqrt(3), error 1 / sqrt(3)
        episodes = [Episode(value, 9) for value in (1.0, 3.0, 1.0, 3.0)]
        return Evaluated(episodes, measures={"discounted_return": 1.75})

    monkeypatch.setattr(evaluate, "evaluate_run", evaluate_run)
    assert cli.main("evaluate . --episodes 4 --seed 9".split()) == 0
    out = capsys.readouterr().out
    assert out == (
        "mean return 2  standard error 0.577  episodes 4\ndiscounted return 1.75\n"
    )
