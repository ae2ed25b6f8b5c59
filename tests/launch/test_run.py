"""The entry point of all modes: the message and the exit code of each end."""

import signal

import pytest

from launch import build, errors, preflight, run
from launch.engines import one_thread
from launch.roles.context import Run
from launch.runs import checkpoint, checkpoint_files, logs, run_directory
from launch.runs.checkpoint_files import Manifest
from launch.runs.lock import locked
from tests.launch.language_runs import sums


@pytest.fixture
def begun(catch, tmp_path):
    """The directory of a run that has not started."""
    return run_directory.create(tmp_path, catch({"steps": 30}))


def end_with(monkeypatch, error):
    def ending(made, environment):
        environment.close()
        raise error

    monkeypatch.setattr(one_thread, "run", ending)


@pytest.mark.parametrize(
    "error, said",
    [
        (errors.NotFinite("loss of network q is nan"), "loss of network q is nan"),
        (errors.RoleFailed("learner/0 died"), "learner/0 died"),
        (errors.EndedEarly("ended"), "ended"),
        (errors.SaveFailed("no space"), "no space"),
        (OSError(28, "No Space Left"), "cannot write to DIRECTORY: no space left"),
    ],
)
def test_a_failed_run_says_why_and_where_it_is(begun, monkeypatch, capsys, error, said):
    end_with(monkeypatch, error)
    assert run.main([str(begun)]) == 1
    said = said.replace("DIRECTORY", str(begun))
    expected = (
        f"munchausen: {said}\nno checkpoint was saved, so begin it again; its logs are "
        f"in {begun}\n"
    )
    assert capsys.readouterr().err == expected


def stopped(directory, number=signal.SIGTERM):
    """The message of a run that a signal ended."""
    experiment = run_directory.read_experiment(directory)
    ready = preflight.check(experiment)
    with pytest.raises(errors.RunStopped) as caught:
        run.run_experiment(experiment, directory, "local", ready)
    assert caught.value.signal == number
    return str(caught.value)


def test_a_stopped_run_says_how_to_resume_it(begun, monkeypatch):
    end_with(monkeypatch, errors.Interrupted(signal.SIGTERM))
    assert stopped(begun) == "stopped by SIGTERM; nothing was saved yet"
    path = begun / checkpoint.DIRECTORY / "1200"
    path.mkdir(parents=True)
    counts = logs.Counts(1_200)
    for manifest, said in (
        (Manifest(counts, {}, {"replay/x": [1, 2]}), ", with its replay"),
        (Manifest(counts, {}, {"state/x": [1, 2]}), ", without a replay"),
        (Manifest(counts, {}, {}, 1_000), ", with the replay of step 1,000"),
        (Manifest(counts, {"store": "dataset"}, {}), ""),
    ):
        checkpoint_files.write_manifest(path, manifest)
        assert stopped(begun) == (
            f"stopped by SIGTERM; saved: the state of step 1,200{said}; continue with "
            f"--resume {begun}"
        )
    end_with(monkeypatch, errors.Interrupted(signal.SIGINT))
    said = f"stopped by SIGINT; continue with --resume {begun}"
    assert stopped(begun, signal.SIGINT) == said
    end_with(monkeypatch, errors.Interrupted(signal.SIGTERM))
    log = logs.EvaluationLog(begun)
    log.write(30, logs.Counts(30), [1.0], [9])
    log.close()
    assert stopped(begun) == f"stopped by SIGTERM; {begun} was complete"


@pytest.mark.parametrize("exact", [False, True])
def test_a_run_resumed_off_the_grid_says_what_differs(
    begun, monkeypatch, capsys, exact
):
    """Its environments restart, as those of an uninterrupted run do not."""
    monkeypatch.setattr(one_thread, "run", lambda made, environment: None)
    (begun / "replay").mkdir()
    resume_local(begun, exact)
    difference = (
        f"{begun}: the environments restart at step 1,234, which is not a multiple of "
        "checkpoint.period; from there on the run differs from one that was not "
        "interrupted\n"
    )
    assert capsys.readouterr().out == ("" if exact else difference)


def resume_local(begun, exact, **more):
    extra = {"store": {}, checkpoint.EXACT: exact, **more}
    resume = checkpoint.Checkpoint(begun, logs.Counts(1_234), extra)
    experiment = run_directory.read_experiment(begun)
    run.run_experiment(experiment, begun, "local", preflight.check(experiment), resume)


def test_a_run_resumed_with_other_threads_says_so(begun, monkeypatch, capsys):
    """XLA then adds in another order."""
    monkeypatch.setattr(one_thread, "run", lambda made, environment: None)
    (begun / "replay").mkdir()
    told = (
        f"{begun}: computes with 1 thread, before step 1,234 with 3, which rounds sums "
        "otherwise; NPROC=3 continues as before\n"
    )
    for threads, said in (("3", ""), ("1", told)):
        monkeypatch.setenv("NPROC", threads)
        resume_local(begun, exact=True, threads=3)
        assert capsys.readouterr().out == said


@pytest.mark.parametrize("exact", [False, True])
def test_a_run_resumed_without_its_replay_says_so(begun, monkeypatch, capsys, exact):
    """Older checkpoints without a replay are marked as exact."""
    monkeypatch.setattr(one_thread, "run", lambda made, environment: None)
    resume_local(begun, exact)
    assert capsys.readouterr().out == (
        f"{begun}: the replay was not saved at step 1,234, so it begins empty; from "
        "there on the run differs from one that was not interrupted\n"
    )


@pytest.mark.parametrize("queued", [0, 7])
def test_a_resumed_program_tells_what_it_drops(begun, capsys, queued):
    (begun / "replay").mkdir()
    extra = {"store": "reverb", "queued": queued}
    resume = checkpoint.Checkpoint(begun, logs.Counts(1_234), extra)
    experiment = run_directory.read_experiment(begun)
    made = Run(experiment, begun, build.spec_of(experiment), frame_stack=1)
    run._tell_difference(made, resume, "processes")
    dropped = (
        f"{begun}: 7 transitions that waited in the actors' queues at step 1,234 are "
        "dropped\n"
    )
    assert capsys.readouterr().out == (dropped if queued else "")


@pytest.mark.parametrize("sampled", [33, 30])
def test_a_resumed_local_run_tells_what_was_left_in_its_queue(
    tmp_path, capsys, sampled
):
    experiment = sums()
    directory = run_directory.create(tmp_path, experiment)
    progress = {"inserted": 33, "sampled": sampled}
    extra = {"store": progress, checkpoint.EXACT: sampled == 33}
    resume = checkpoint.Checkpoint(directory, logs.Counts(33), extra)
    made = Run(experiment, directory, build.spec_of(experiment), frame_stack=1)
    run._tell_difference(made, resume, "local")
    told = (
        f"{directory}: 3 transitions that waited for an update at step 33 were not "
        "saved; from there on the run differs from one that was not interrupted\n"
    )
    assert capsys.readouterr().out == (told if sampled == 30 else "")


@pytest.mark.parametrize(
    "name, code",
    [("SIGINT", 130), ("SIGHUP", 129), ("SIGTERM", 75), ("SIGUSR1", 75)],
)
def test_a_schedulers_notice_asks_to_be_started_again(
    begun, monkeypatch, capsys, name, code
):
    end_with(monkeypatch, errors.Interrupted(signal.Signals[name]))
    assert run.main([str(begun)]) == code
    assert capsys.readouterr().err.startswith(f"munchausen: stopped by {name}; ")


def test_a_refused_run_gives_exit_code_two_and_one_line(begun, tmp_path, capsys):
    assert run.main([str(tmp_path / "nowhere")]) == 2
    assert "nowhere is not a run directory" in capsys.readouterr().err
    with locked(begun):
        assert run.main([str(begun)]) == 2
    assert "is being written by another process" in capsys.readouterr().err
    config = begun / run_directory.CONFIG
    config.write_text(config.read_text().replace("torso: mlp", "torso: nature"))
    assert run.main([str(begun)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("munchausen: ") and error.count("\n") == 1


def test_an_error_of_a_run_under_way_keeps_its_traceback(begun, monkeypatch):
    """JAX raises ValueError where shapes of a user's loss do not fit."""
    end_with(monkeypatch, ValueError("Incompatible shapes for broadcasting"))
    with pytest.raises(ValueError, match="Incompatible shapes"):
        run.main([str(begun)])


def test_a_run_that_fails_after_a_checkpoint_says_that_it_is_kept(
    catch, tmp_path, monkeypatch, capsys
):
    directory = run_directory.create(tmp_path, catch({"steps": 30}))
    assert run.main([str(directory)]) == 0
    run_directory.record_resume(directory, catch({"steps": 50}))
    end_with(monkeypatch, errors.NotFinite("loss is nan"))
    capsys.readouterr()
    assert run.main([str(directory)]) == 1
    kept = f"everything saved so far is kept in {directory}\n"
    assert capsys.readouterr().err == f"munchausen: loss is nan\n{kept}"


def test_a_finished_run_resumes_from_its_checkpoint(catch, tmp_path):
    directory = run_directory.create(tmp_path, catch({"steps": 30}))
    assert run.main([str(directory)]) == 0
    assert checkpoint.newest(directory).counts.actor_steps == 30
    run_directory.record_resume(directory, catch({"steps": 50}))
    assert run.main([str(directory), "--wandb=off"]) == 0
    assert [row.grid for row in logs.read_evaluations(directory)] == [30, 50]


@pytest.mark.parametrize("threads, asynchronous", [("1", False), ("2", True)])
def test_one_thread_is_the_calling_thread(monkeypatch, threads, asynchronous):
    changed = []
    monkeypatch.setenv("NPROC", threads)
    monkeypatch.setattr(run.jax.config, "update", lambda *each: changed.append(each))
    run.settle()
    assert changed == [("jax_cpu_enable_async_dispatch", False)] * (not asynchronous)
