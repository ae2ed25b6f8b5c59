"""Reading run directories for a report."""

from experiments.reporting import read_runs
from tests.experiments.run_directories import metrics_row, write

POINTS = {50: [0.0, 2.0], 100: [10.0, 12.0]}


def groups_of(*paths):
    """Label and runs of the only environment."""
    (groups,) = read_runs.read([str(path) for path in paths]).groups.values()
    return {group.label: group.runs for group in groups}


def restart(path, when):
    """Records another time of start in a run."""
    config = path / "config.yaml"
    config.write_text(config.read_text().replace("2025-01-02T03:04:05+00:00", when))


def test_a_repeated_seed_counts_once_and_left_out_runs_are_noted(tmp_path):
    first = write(tmp_path, evaluations={50: [1.0]}, directory="first")
    second = write(tmp_path, evaluations=POINTS, directory="second")
    restart(first, "2025-01-01T00:00:00+00:00")
    empty = write(tmp_path, seed=1)
    reading = read_runs.read([str(tmp_path), str(first)])
    ((group,),) = reading.groups.values()
    assert [run.directory for run in group.runs] == [second]
    assert reading.left_out == [
        f"{empty} has no evaluation yet",
        f"{first} repeats seed 0 of {second}",
    ]
    assert reading.incomplete == []


def test_a_row_that_is_still_being_written_is_left_out(tmp_path):
    path = write(tmp_path, evaluations=POINTS, metrics=[metrics_row(50, "actor", 5.0)])
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"actor_steps": 10')
    with (path / "evaluations.csv").open("a") as file:
        file.write("150,150,600")
    (run,) = groups_of(path)["mdqn"]
    assert len(run.metrics) == 1 and len(run.evaluations) == 2


def test_a_folder_of_runs_means_all_runs_in_it(tmp_path):
    write(tmp_path, seed=0, evaluations=POINTS)
    write(tmp_path, seed=1, evaluations=POINTS)
    for folder in (tmp_path, tmp_path / "mdqn", tmp_path / "mdqn/catch"):
        assert len(groups_of(folder)["mdqn"]) == 2
