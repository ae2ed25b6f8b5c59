"""A section for each environment."""

import json
import sys

import pytest

from experiments.reporting import bootstrap
from tests.experiments.report_pages import ATARI, POINTS, ROWS, report, text_of
from tests.experiments.run_directories import metrics_row, write


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
    assert "Text metrics" not in text  # no run has samples
    assert "Completions" not in text


def test_the_action_gap_is_drawn_where_agents_have_logged_it(elsewhere):
    gaps = [metrics_row(step, "learner", 1.0, action_gap=0.5) for step in (50, 100)]
    write(elsewhere / "gaps", "mdqn/catch", 0, POINTS, [*ROWS, *gaps])
    write(elsewhere / "none", "dqn/catch", 0, POINTS, ROWS)
    drawn = {}
    for name in ("gaps", "none"):
        assert report(name, "--output", f"{name}.html") == 0
        drawn[name] = text_of((elsewhere / f"{name}.html").read_text())
    assert "Action gap" in drawn["gaps"] and "best action minus" in drawn["gaps"]
    assert "Action gap" not in drawn["none"]


def write_samples(run, completions):
    rows = [
        {"grid": 100, "prompt": "ann ?", "completion": completion, "reward": 0.0}
        | {"reference": "ann has hat"}
        for completion in completions
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (run / "samples.jsonl").write_text(text)


def test_text_metrics_are_means_over_seeds_of_the_agents_with_samples(elsewhere):
    runs = elsewhere / "runs"
    write(runs, "dqn/catch", 0, POINTS, ROWS)
    right = write(runs, "sft/catch", 0, POINTS, ROWS)
    write_samples(right, ["ann has hat", "ann has hat"])
    wrong = write(runs, "sft/catch", 1, POINTS, ROWS)
    write_samples(wrong, ["x", "y"])
    assert report("runs") == 0
    text = text_of((elsewhere / "report.html").read_text())
    assert "agent ROUGE-1 ROUGE-2 ROUGE-L Self-BLEU length" in text
    assert "sft 50.00 50.00 50.00 50.00 2.00" in text
    assert "dqn 50.00" not in text


def test_the_page_shows_completions_of_one_seed_of_each_agent_with_samples(elsewhere):
    runs = elsewhere / "runs"
    write(runs, "dqn/catch", 0, POINTS, ROWS)
    write(runs, "sft/catch", 3, POINTS, ROWS)
    run = write(runs, "sft/catch", 5, POINTS, ROWS)
    write_samples(run, ["<b>first</b>", *["next"] * 7, "ninth"])
    assert report("runs") == 0
    page = (elsewhere / "report.html").read_text()
    text = text_of(page)
    assert "sft seed 5 completion reference score ann ? " in text
    assert "&lt;b&gt;first&lt;/b&gt;" in page and "<b>first" not in page
    assert (text.count("ann has hat 0"), text.count("ninth")) == (8, 0)


def test_the_page_says_which_package_text_metrics_need(elsewhere, monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    run = write(elsewhere / "runs", "sft/catch", 0, POINTS, ROWS)
    write_samples(run, ["ann has hat", "ann"])
    assert report(run) == 0
    text = text_of((run / "report.html").read_text())
    assert "Not shown: text metrics need the package sacrebleu: install it" in text
