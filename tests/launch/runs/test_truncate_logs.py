"""Rows after a checkpoint are removed; earlier rows stay as they were written."""

import io

import pytest

from launch.runs import logs, truncate_logs
from launch.runs.checkpoint import Checkpoint
from launch.runs.logs import Counts

JSON = ("metrics.jsonl", logs.SAMPLES)
NAMES = (*JSON, "metrics.csv", logs.EVALUATIONS)


@pytest.fixture
def written(tmp_path):
    """A directory with rows at the steps 100, 200 and 300 in each log."""
    metrics, evaluations = logs.MetricsLog(tmp_path), logs.EvaluationLog(tmp_path)
    for steps in (100, 200, 300):
        metrics.write(Counts(steps, steps, 7), "learner", {"loss": steps / 7})
        evaluations.write(steps, Counts(steps), [0.1], [9])
        sample = logs.Sample("a\u2028b", f"{steps}\x85", reward=0.5)
        logs.write_samples(tmp_path, steps, Counts(steps), [sample])
    metrics.close()
    evaluations.close()
    return tmp_path


def lines(directory):
    # The rows of samples hold other line breaks than the one between rows.
    return {name: list(io.StringIO((directory / name).read_text())) for name in NAMES}


def resume_at(directory, counts):
    return Checkpoint(directory, counts, {})


@pytest.mark.parametrize("steps, kept", [(99, 0), (100, 1), (299, 2), (300, 3)])
def test_rows_up_to_the_checkpoint_stay_as_they_were_written(written, steps, kept):
    before = lines(written)
    truncate_logs.truncate_to(written, resume_at(written, Counts(steps)))
    after = lines(written)
    for name in JSON:
        assert after[name] == before[name][:kept]
    for name in NAMES[2:]:
        assert after[name] == before[name][: 1 + kept], "and the header"
    assert not list(written.glob(".*"))


def test_without_a_checkpoint_all_rows_are_removed(written):
    truncate_logs.truncate_to(written, None)
    assert [len(rows) for rows in lines(written).values()] == [0, 0, 1, 1]


def test_a_half_written_row_is_removed_even_if_it_is_early(written):
    for name in NAMES:
        path = written / name
        path.write_text(path.read_text()[:-1])
    truncate_logs.truncate_to(written, resume_at(written, Counts(500)))
    assert [len(rows) for rows in lines(written).values()] == [2, 2, 3, 3]


def test_logs_of_offline_runs_are_truncated_by_learner_steps(tmp_path):
    log = logs.MetricsLog(tmp_path)
    for steps in (100, 200):
        log.write(Counts(learner_steps=steps), "learner", {"loss": 1.0})
    log.close()
    at = resume_at(tmp_path, Counts(learner_steps=150))
    truncate_logs.truncate_to(tmp_path, at)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1


def test_truncating_without_logs_makes_no_files(tmp_path):
    truncate_logs.truncate_to(tmp_path, None)
    assert list(tmp_path.iterdir()) == []


def test_rows_that_nobody_can_read_are_named_and_left_out(written, capsys):
    bad = {
        "metrics.jsonl": [b"hello\n", b'{"actor_steps": "x"}\n', b"\xff\n"],
        "metrics.csv": [b"hello\n"],
        logs.EVALUATIONS: [b"hello\n", b"\0\n"],
        logs.SAMPLES: [b"[]\n"],
    }
    before = lines(written)
    for name, rows in bad.items():
        path = written / name
        path.write_bytes(path.read_bytes() + b"".join(rows))
    truncate_logs.truncate_to(written, resume_at(written, Counts(200)))
    after = lines(written)
    for name in NAMES:
        assert after[name] == before[name][:-1]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 7
    assert said[0] == (
        f"munchausen: row 4 of {written / 'metrics.jsonl'} cannot be read and is left "
        "out: 'hello'"
    )


def test_bytes_that_are_no_text_stay_in_rows_that_can_be_read(written):
    path = written / logs.SAMPLES
    text = path.read_bytes().replace(b'"prompt": "a', b'"prompt": "\xff', 1)
    assert b"\xff" in text
    path.write_bytes(text)
    truncate_logs.truncate_to(written, resume_at(written, Counts(500)))
    assert path.read_bytes() == text
