"""What a checkpoint holds if the process that saves it is about to be killed."""

import json
import threading
import time

import jax
import pytest

from launch.errors import RunDirectoryError, SaveFailed
from launch.runs import checkpoint, checkpoint_files, checkpoint_saving, generation
from launch.runs.checkpoint_saving import Ending
from launch.runs.logs import Counts
from launch.runs.replay_saving import ReplaySaver
from tests.agents.cases import make


@pytest.fixture(scope="module")
def state():
    return make("dqn").init(jax.random.key(0))


class Store:
    """A replay of `stored` transitions whose save waits for the test."""

    def __init__(self, stored=70):
        self.number, self.saves = stored, 0
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.may_end.set()
        self.error = None

    def stored(self):
        return self.number

    def save(self, path):
        self.saves += 1
        path.mkdir()
        (path / "rows").write_text(f"{self.number} rows")
        self.begun.set()
        assert self.may_end.wait(20)
        if self.error is not None:
            raise self.error


class Run:
    """A run that saves itself; `left` seconds after a notice, None: there is none."""

    def __init__(self, directory, state):
        self.directory, self.state = directory, state
        self.store = Store()
        self.saver = ReplaySaver(self.store)
        self.lease = None

    def save(self, steps, left=None, keep=2, exact=False, ending=None):
        until = None if left is None else time.monotonic() + left
        ending = ending or Ending(
            lambda: until, (lambda: None) if self.lease is None else self.lease.check
        )
        return checkpoint_saving.save(
            self.directory,
            Counts(steps),
            self.state,
            extra={
                "store": {"at": steps},
                "rows": [steps],  # of a replay in the learner
                "episodes": [steps],
                "exact": exact,
            },
            replay=self.saver,
            keep=keep,
            ending=ending,
        )

    def newest(self):
        return checkpoint.newest(self.directory)


@pytest.fixture
def run(tmp_path, state):
    return Run(tmp_path, state)


def rows(saved):
    return (saved.replay / "rows").read_text()


def drafts(run):
    return list((run.directory / "checkpoints").glob(".*"))


def test_a_replay_that_fits_is_saved_after_the_state(run):
    run.save(10)
    run.store.number, run.saver.rate = 71, 71 / 5.0  # it takes 5 seconds
    run.save(23, left=6.0)
    saved = run.newest()
    assert (saved.counts.clock, saved.replay_of, rows(saved)) == (23, None, "71 rows")
    assert saved.extra == {
        "store": {"at": 23},
        "rows": [23],
        "episodes": [23],
        "exact": False,
    }
    assert not drafts(run)


def test_a_replay_that_does_not_fit_is_not_begun_and_the_older_one_used(run, capsys):
    run.save(10, exact=True)
    run.store.number, run.saver.rate = 71, 71 / 7.0
    run.save(23, left=6.0, exact=True)
    saved = run.newest()
    assert (saved.counts.clock, saved.replay_of, rows(saved)) == (23, 10, "70 rows")
    # The rows are those of step 10, and so are the counters of the store.
    assert saved.extra == {
        "store": {"at": 10},
        "rows": [10],
        "episodes": [23],
        "exact": False,
    }
    assert run.store.saves == 1
    assert capsys.readouterr().err == (
        "munchausen: the replay of step 23 is not saved: it takes 7 s, and 6 s are "
        "left\n"
    )
    assert checkpoint.load_state(saved, make("dqn")).steps == 0


def test_without_a_measured_speed_it_is_tried_until_the_deadline(run, capsys):
    run.save(10)
    run.saver.rate = 0.0
    run.store.may_end.clear()
    began = time.monotonic()
    run.save(23, left=0.3)
    assert 0.25 < time.monotonic() - began < 20
    assert run.newest().replay_of == 10 and run.store.saves == 2
    assert "it takes more time than is left" in capsys.readouterr().err
    run.store.may_end.set()


def test_a_notice_during_a_save_completes_the_checkpoint_with_the_older_replay(run):
    run.save(10)
    run.store.number = 72
    run.store.may_end.clear()
    until = []
    ending = Ending(lambda: until[0] if until else None)
    saving = threading.Thread(target=run.save, args=(23,), kwargs={"ending": ending})
    saving.start()
    assert run.store.begun.wait(20)
    assert run.newest().counts.clock == 10, "nothing yet: there is no hurry"
    until.append(time.monotonic() + 60)
    deadline = time.monotonic() + 20
    while run.newest().counts.clock == 10:
        assert time.monotonic() < deadline
    saved = run.newest()
    assert (saved.replay_of, rows(saved)) == (10, "70 rows")
    run.saver.rate = 0.0
    run.store.may_end.set()
    saving.join(20)
    saved = run.newest()
    assert (saved.counts.clock, saved.replay_of, rows(saved)) == (23, None, "72 rows")
    assert saved.extra["store"] == {"at": 23}


def test_a_replay_that_cannot_be_saved_leaves_the_state(run, capsys):
    run.save(10)
    run.store.error = OSError(28, "No space left on device")
    run.save(23, left=60.0)
    saved = run.newest()
    assert (saved.counts.clock, saved.replay_of) == (23, 10)
    assert "is not saved: " in capsys.readouterr().err
    assert not drafts(run)
    with pytest.raises(SaveFailed, match="no space left on the device"):
        run.save(30)  # without a notice it is a failure of the run
    assert run.newest().counts.clock == 23


def test_the_first_checkpoint_has_no_replay_if_there_is_no_time(run):
    run.save(23, left=0.0)
    saved = run.newest()
    assert (saved.counts.clock, saved.replay_of, saved.replay) == (23, None, None)


def test_a_second_notice_finds_the_replay_of_the_last_whole_checkpoint(run):
    run.save(10)
    run.save(23, left=0.0)
    run.save(31, left=0.0)
    saved = run.newest()
    assert (saved.counts.clock, saved.replay_of, rows(saved)) == (31, 10, "70 rows")


@pytest.mark.parametrize("keep, kept", [(1, [10, 31]), (2, [10, 23, 31])])
def test_a_checkpoint_whose_replay_is_used_is_kept(run, keep, kept):
    run.save(10)
    run.save(23, left=0.0, keep=keep)
    run.save(31, left=0.0, keep=keep)
    assert checkpoint.kept(run.directory) == kept
    run.save(40, keep=keep)
    run.save(50, keep=keep)
    assert checkpoint.kept(run.directory) == [40, 50][-keep:]


def test_steps_that_are_saved_already_are_left_as_they_are(run):
    run.save(10)
    run.store.number = 75
    run.save(10, left=0.0)
    saved = run.newest()
    assert (saved.replay_of, rows(saved)) == (None, "70 rows")


def test_a_notice_while_the_same_steps_are_saved_again_changes_nothing(run):
    run.save(5)
    run.save(10)
    run.store.number = 75
    run.store.may_end.clear()
    until = iter([None, None])  # it comes when the replay is being saved
    run.save(10, ending=Ending(lambda: next(until, time.monotonic() + 60)))
    run.store.may_end.set()
    saved = run.newest()
    assert (saved.counts.clock, saved.replay_of, rows(saved)) == (10, None, "70 rows")


def test_a_damaged_replay_damages_all_that_use_it(run, capsys):
    run.save(5)
    run.save(10)
    run.save(23, left=0.0, keep=3)
    (run.directory / "checkpoints" / "10" / "replay" / "rows").write_text("7? rows")
    assert run.newest().counts.clock == 5
    err = capsys.readouterr().err
    assert err.count("10/replay is damaged: rows was altered") == 1
    assert "10 is damaged: replay/rows was altered" in err


def test_a_kill_between_replay_and_manifest_leaves_the_older_replay(run, monkeypatch):
    run.save(10)
    write, written = checkpoint_files.write_manifest, []

    def killed(path, manifest):
        written.append(path.name)
        if len(written) == 2:
            raise OSError("killed")
        write(path, manifest)

    monkeypatch.setattr(checkpoint_files, "write_manifest", killed)
    run.store.number = 76
    run.save(23, left=60.0)
    assert written == [".23.partial", "23"]
    saved = run.newest()
    assert (saved.counts.clock, saved.replay_of, rows(saved)) == (23, 10, "70 rows")


def test_a_checkpoint_of_an_older_version_can_be_read(run):
    run.save(10)
    path = run.directory / "checkpoints" / "10" / checkpoint_files.MANIFEST
    plain = json.loads(path.read_text())
    del plain["replay_of"], plain["replay_files"]
    path.write_text(json.dumps(plain))
    assert rows(run.newest()) == "70 rows"


@pytest.mark.parametrize("left", [None, 60.0])
def test_a_generation_that_was_replaced_writes_nothing(run, left):
    run.lease = generation.take(run.directory)
    run.save(10)
    later = generation.take(run.directory)
    with pytest.raises(SaveFailed, match="generation 2 of the run") as failed:
        run.save(23, left=left)
    assert str(failed.value).endswith("generation 1 must not write any more")
    assert checkpoint.kept(run.directory) == [10]
    run.lease = later
    run.save(23, left=left)
    assert checkpoint.kept(run.directory) == [10, 23]


def test_a_generation_that_is_replaced_during_a_save_gives_up_before_its_end(run):
    run.lease = generation.take(run.directory)
    run.store.may_end.clear()
    failures = []

    def save():
        try:
            run.save(10)
        except SaveFailed as error:
            failures.append(str(error))

    saving = threading.Thread(target=save)
    saving.start()
    assert run.store.begun.wait(20)
    generation.take(run.directory)
    run.store.may_end.set()
    saving.join(20)
    assert len(failures) == 1 and checkpoint.kept(run.directory) == []
    with pytest.raises(RunDirectoryError):
        run.newest()
    assert not drafts(run)
