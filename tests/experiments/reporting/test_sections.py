"""A section for each environment."""

import pytest

from experiments.reporting import bootstrap
from tests.experiments.report_pages import ATARI, POINTS, ROWS, report, text_of
from tests.experiments.run_directories import write


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Makes the temporary folder, in which runs are written, the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bootstrap, "REPETITIONS", 100)
    return tmp_path


def test_agents_are_compared_on_each_environment(elsewhere, capsys):
    runs = elsewhere / "runs"
    for seed in (0, 1, 2):
        write(runs, "mdqn/catch", seed, {100: [9.0 + seed]}, ROWS, temperature=0.03)
        write(runs, "dqn/catch", seed, {100: [5.0 + seed]}, ROWS)
    write(runs, "mdqn/pong", 0, POINTS, ROWS, environment=ATARI, temperature=0.03)
    assert report("runs") == 0
    assert capsys.readouterr().out == "report.html\n"
    text = text_of((elsewhere / "report.html").read_text())
    for part in (
        "2 agents · 2 environments · 7 runs",
        "Catch rows 10 columns 5",
        "Atari pong dopamine",
        "mdqn 10.00 [7.52, 12.48]",
        "dqn 6.00 [3.52, 8.48]",
        "interquartile mean",
        "mdqn 10.00 [9.00, 11.00]",
        "Performance profile",
        "agent.temperature none 0.03 0.03",
        "Published numbers",
        "mdqn, at 400 frames none none none none none none",
        "Rainbow 15.2 18.9 19.3 19.7 20.2",
        "Source, computed: Dopamine",
    ):
        assert part in text, part
    assert text.count("interquartile mean") == 1  # one agent on Pong
