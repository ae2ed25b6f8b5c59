"""`munchausen report` of runs that learn from datasets."""

import pytest

from experiments import cli
from experiments.reporting import bootstrap
from tests.experiments.report_pages import POINTS, text_of
from tests.experiments.run_directories import metrics_row, write


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bootstrap, "REPETITIONS", 100)
    return tmp_path


def test_runs_from_datasets_have_a_section_for_each_and_count_learner_steps(elsewhere):
    for quality in ("medium", "expert"):
        write(
            elsewhere / "runs",
            f"bc/hopper-{quality}",
            evaluations=POINTS,
            environment={"kind": "Locomotion", "name": "Hopper-v5"},
            metrics=[
                metrics_row(0, "learner", 2.0 * step, learner_steps=step, q_loss=0.5)
                for step in (10, 40, 100)
            ],
            dataset=f"mine/hopper/{quality}-v0",
        )
    assert cli.main(["report", "runs", "--output", "page.html"]) == 0
    text = text_of((elsewhere / "page.html").read_text())
    for quality in ("medium", "expert"):
        assert f"Locomotion name Hopper-v5, from mine/hopper/{quality}-v0" in text or (
            f"Locomotion Hopper-v5, from mine/hopper/{quality}-v0" in text
        )
    assert "complete 100 of 100" in text and "at step" in text
    assert "state steps last return" in text  # not actor steps: there is no actor
    assert "Learner throughput" in text and "Actor throughput" not in text
