"""Existing runs: where each resumes, and which process may run it."""

import threading

import pytest

from launch.errors import RunDirectoryError
from launch.runs import checkpoint, existing_runs, lock, logs, run_directory
from launch.runs.checkpoint import Checkpoint
from launch.runs.existing_runs import Entry, Finder
from launch.runs.lock import locked


def find(root, experiment):
    [entry] = existing_runs.find(str(root), [experiment])
    return entry


def evaluate(directory, point):
    log = logs.EvaluationLog(directory)
    log.write(point, logs.Counts(point), [1.0], [9])
    log.close()


def test_a_run_is_missing_then_cut_short_then_complete(catch, tmp_path):
    wanted = catch()
    assert find(tmp_path, wanted) == Entry(wanted, state="missing")
    directory = run_directory.create(tmp_path, wanted)
    evaluate(directory, 200)
    assert find(tmp_path, wanted) == Entry(wanted, directory, "cut short")
    with locked(directory):
        assert find(tmp_path, wanted).state == "held"
    evaluate(directory, 300)
    assert find(tmp_path, wanted).state == "complete"
    assert find(tmp_path, catch({"steps": 299})).state == "missing"
    assert find(tmp_path, catch({"agent.discount": 0.5})).state == "missing"
    for path in run_directory.BOOKKEEPING:
        assert find(tmp_path, catch({path: 7})).state == "complete"
    assert find(tmp_path, catch({"checkpoint.period": 7})).state == "missing"


def test_each_configuration_is_read_once_however_many_experiments_are_sought(
    catch, tmp_path, monkeypatch
):
    discounts = (0.5, 0.6, 0.7, 0.8, 0.9)
    wanted = [catch({"agent.discount": discount}) for discount in discounts]
    made = [run_directory.create(tmp_path, experiment) for experiment in wanted]
    read, counted = run_directory.read_experiment, []

    def count(path):
        counted.append(path)
        return read(path)

    monkeypatch.setattr(run_directory, "read_experiment", count)
    found = existing_runs.find(str(tmp_path), [*wanted, catch()])
    assert [entry.directory for entry in found] == [*made, None]
    assert sorted(counted) == sorted(made)


def test_a_configuration_that_was_edited_by_hand_is_passed_over_with_a_line(
    catch, tmp_path, capsys
):
    edited = run_directory.create(tmp_path, catch())
    path = edited / run_directory.CONFIG
    text = path.read_text()
    assert "discount: 0.99\n" in text
    path.write_text(text.replace("discount: 0.99\n", "discount: {a: 1}\n"))
    finder = Finder(str(tmp_path))
    for _ in range(2):
        assert finder.find(catch()) == Entry(catch(), state="missing")
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith(f"munchausen: passed over: {path}")


def test_a_run_whose_agent_changed_while_it_learned_is_no_run_of_either_setting(
    catch, tmp_path, capsys
):
    old, new = catch({"agent.discount": 0.5}), catch({"agent.discount": 0.25})
    directory = run_directory.create(tmp_path, old)
    changed = {"agent.discount": [0.5, 0.25], "log_period": [1.0, 2.0]}
    run_directory.record_resume(directory, new, {"step": 1100, "changed": changed})
    evaluate(directory, 300)
    finder = Finder(str(tmp_path))
    for wanted in (old, new, new):
        assert finder.find(wanted) == Entry(wanted, state="missing")
    assert capsys.readouterr().err == (
        f"munchausen: passed over: {directory} changed agent.discount when it resumed "
        "at step 1,100, so it is no run of one setting\n"
    )


@pytest.mark.parametrize(
    "details",
    [
        {"step": 0, "changed": {"agent.discount": [0.25, 0.5]}},  # it began again
        {"step": 7, "changed": {"log_period": [1.0, 2.0], "steps": [200, 300]}},
        {"step": 7},
    ],
)
def test_a_run_that_resumed_with_the_same_agent_is_found(catch, tmp_path, details):
    wanted = catch({"agent.discount": 0.5})
    directory = run_directory.create(tmp_path, wanted)
    run_directory.record_resume(directory, wanted, details)
    evaluate(directory, 300)
    assert find(tmp_path, wanted).state == "complete"


def test_a_label_is_part_of_the_title(catch):
    assert Entry(catch()).title == "mdqn/catch seed 0"
    assert Entry(catch(), label="a 1").title == "mdqn/catch seed 0 (a 1)"


def test_a_new_run_begins_whatever_runs_exist(catch, tmp_path):
    begun = []
    for _ in range(2):
        with existing_runs.taken(Finder(str(tmp_path)), Entry(catch())) as taken:
            assert find(tmp_path, catch()).state == "held"
            begun.append(taken.directory)
    assert len(set(begun)) == 2
    assert [run_directory.read_experiment(each) for each in begun] == [catch()] * 2


def test_a_planned_run_is_sought_again_when_its_turn_comes(catch, tmp_path):
    wanted, label = catch(), "cell 7"
    planned = find(tmp_path, wanted)._replace(label=label)
    assert planned.state == "missing" and planned.is_left

    def state():
        with existing_runs.taken(Finder(str(tmp_path)), planned) as taken:
            assert (taken.lock is None) == (not taken.entry.is_left)
            assert taken.entry.label == label
            return taken.entry.state, taken.directory, str(taken)

    with existing_runs.taken(Finder(str(tmp_path)), planned) as taken:
        directory = taken.directory
        assert taken.entry.state == "missing" and str(taken) == f"{directory}  {label}"
        others = f"{directory}  {label}  held by another process"
        assert state() == ("held", directory, others)
    assert state() == ("cut short", directory, f"{directory}  {label}")
    evaluate(directory, 300)
    assert state() == ("complete", directory, f"{directory}  {label}  complete")
    assert [directory] == list(tmp_path.glob("mdqn/catch/seed*"))


def test_a_planned_run_is_taken_in_turn(catch, tmp_path):
    planned, entered = find(tmp_path, catch()), threading.Event()

    def take():
        with existing_runs.taken(Finder(str(tmp_path)), planned):
            entered.set()

    waiting = threading.Thread(target=take)
    with lock.turn(tmp_path / "mdqn" / "catch"):
        waiting.start()
        assert not entered.wait(0.2)
    waiting.join(20)
    assert entered.is_set()


def test_a_finder_sees_runs_that_began_after_its_first_search(catch, tmp_path):
    finder = Finder(str(tmp_path))
    assert finder.find(catch()).state == "missing"
    directory = run_directory.create(tmp_path, catch())
    assert finder.find(catch()) == Entry(catch(), directory, "cut short")


@pytest.mark.parametrize(
    "store, local, flag",
    [
        ("reverb", True, "--launch processes"),
        ("reverb", False, None),
        ({"length": 7}, True, None),
        ({"length": 7}, False, "--launch local"),
        ("dataset", True, None),
        ("dataset", False, None),
    ],
)
def test_a_run_resumes_only_where_its_replay_can_be_read(
    tmp_path, monkeypatch, store, local, flag
):
    saved = Checkpoint(tmp_path, logs.Counts(10), {"store": store})
    monkeypatch.setattr(existing_runs.checkpoint, "reached", lambda _: 10)
    monkeypatch.setattr(existing_runs.checkpoint, "newest", lambda _: saved)
    if flag is None:
        assert existing_runs.checkpoint_to_resume(tmp_path, local=local) is saved
        return
    with pytest.raises(RunDirectoryError, match=f"resumed with {flag}$"):
        existing_runs.checkpoint_to_resume(tmp_path, local=local)


def test_a_complete_run_is_extended_only_from_a_checkpoint(catch, tmp_path):
    """Else its evaluations would be lost, as those of 200 steps of 300 may be."""
    directory = run_directory.create(tmp_path, catch())
    evaluate(directory, 200)
    assert find(tmp_path, catch({"steps": 301})).state == "cut short"
    evaluate(directory, 300)
    with pytest.raises(RunDirectoryError) as refused:
        find(tmp_path, catch({"steps": 301}))
    assert str(refused.value) == (
        f"{directory} is complete after 300 steps, and has no checkpoint from which "
        "more could follow: restore its directory checkpoints, move the run away to "
        "begin a new one, or choose another place with --runs"
    )
    assert find(tmp_path, catch()).state == "complete"
    (directory / checkpoint.DIRECTORY / "300").mkdir(parents=True)
    assert find(tmp_path, catch({"steps": 301})).state == "cut short"


@pytest.mark.parametrize("broken", ["\0\0\0", "\0\0\0\n", "300,x,y\n", "300,1,"])
def test_lines_that_are_no_evaluations_hinder_no_other(broken, catch, tmp_path):
    """As a disk that was full or switched off leaves them; a resumed run drops them."""
    (tmp_path / checkpoint.DIRECTORY / "200").mkdir(parents=True)
    evaluate(tmp_path, 200)
    path = tmp_path / logs.EVALUATIONS
    path.write_text(path.read_text() + broken)
    assert logs.evaluated(tmp_path) == 200
    assert not existing_runs.is_complete(tmp_path, catch())
    path.write_text(path.read_text() + "\n")
    evaluate(tmp_path, 300)
    assert existing_runs.is_complete(tmp_path, catch())


def test_without_a_checkpoint_a_line_that_is_no_evaluation_is_an_error(catch, tmp_path):
    """The run would begin again, and the evaluations before the line would be lost."""
    evaluate(tmp_path, 200)
    path = tmp_path / logs.EVALUATIONS
    path.write_text(path.read_text() + "300,x,y\n")
    with pytest.raises(RunDirectoryError) as refused:
        existing_runs.is_complete(tmp_path, catch())
    said = str(refused.value)
    assert said.startswith(f"cannot read {path}: line 3 must be an evaluation, with a ")
    assert said.endswith("; delete that line")


@pytest.mark.parametrize("kept", [True, False])
def test_a_file_without_a_column_is_an_error(kept, catch, tmp_path):
    if kept:
        (tmp_path / checkpoint.DIRECTORY / "200").mkdir(parents=True)
    path = tmp_path / logs.EVALUATIONS
    path.write_text("grid,returns\n300,1.5\n")
    with pytest.raises(RunDirectoryError) as refused:
        existing_runs.is_complete(tmp_path, catch())
    assert str(refused.value) == f"cannot read {path}: it has no column actor_steps"
