"""A suite is trained, extended from its checkpoints, found complete and reported."""

import pytest

from experiments import cli
from launch.runs import logs

TINY = (
    "--seed 0 --evaluation.lockstep false --evaluation.period 200 --evaluation.steps "
    "40 --agent.storage.min_size 50 --agent.storage.capacity 300 "
    "--agent.network.hidden 7"
).split()


# This process may have used JAX by now; a launcher never has.
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_suite_is_extended_and_reported(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = ["train", "suite/minatar-5_dqn", *TINY, "--steps"]
    for steps, said in (
        (200, "5 runs: 5 to start"),
        (400, "5 runs: 0 to start, 5 to resume"),
        (400, "5 runs: 0 to start, 5 complete"),
    ):
        assert cli.main([*line, str(steps)]) == 0
        assert capsys.readouterr().out.splitlines()[0] == said
    begun = [*tmp_path.glob("runs/dqn/minatar-*/seed0-*")]
    assert len(begun) == 5
    for directory in begun:
        rows = logs.read_evaluations(directory)
        assert [row.grid for row in rows] == [200, 400]
        # No episode begins after 40 decisions; all but the last are shorter in sum.
        for row in rows:
            assert sum(row.lengths[:-1]) < 40 <= sum(row.lengths)
    assert cli.main(["report", "runs", "--suite", "minatar-5"]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "Runs of 5 of 5 tasks" in page and "no run" not in page
