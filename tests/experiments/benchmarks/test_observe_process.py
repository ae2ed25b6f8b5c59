"""Runs observed from outside."""

import time

import psutil
import pytest
from pytest import approx

from experiments.benchmarks import observe_process, whole_runs
from experiments.benchmarks.measure import BenchFailed
from tests.experiments.benchmarks.measured_figures import check

CATCH = (
    *("dqn/catch", "--agent.network.hidden", "5", "--environments", "3"),
    *("--steps", "1_000_000", "--log_period", "20"),
)


SECONDS = 0.01


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def local_run():
    """Observations of a local run of Catch."""
    return observe_process.watch(CATCH, "local")


@pytest.mark.slow
def test_a_whole_run_is_observed(local_run, monkeypatch):
    assert local_run.first > 0 and local_run.others >= 0
    [process] = local_run.processes
    assert process.role == "local" and process.libraries == ("jax",)
    assert 50e6 < process.peak < 5e9
    seen = {"local": local_run, "processes": local_run}
    monkeypatch.setattr(whole_runs, "watch", lambda line, mode: seen[mode])
    check(whole_runs.start(CATCH), ["s"] * 2)
    check(whole_runs.footprint(CATCH)[:1], ["MiB"])


@pytest.mark.slow
@pytest.mark.launchpad
def test_every_process_of_a_distributed_run_is_seen():
    seen = observe_process.watch(CATCH, "processes")
    roles = [process.role for process in seen.processes]
    assert roles == "actor/0 coordinator evaluator launcher learner replay".split()
    loaded = {process.role: process.libraries for process in seen.processes}
    assert {"jax", "reverb", "tensorflow"} <= set(loaded["learner"])
    # Only the learner reads datasets of Reverb, which are TensorFlow's.
    assert [role for role in roles if "tensorflow" in loaded[role]] == ["learner"]
    assert [role for role in roles if "reverb" in loaded[role]] == [
        "actor/0",
        "learner",
        "replay",
    ]


@pytest.mark.slow
@pytest.mark.launchpad
def test_whole_runs_take_turns_with_the_bare_update():
    check(whole_runs.runs(SECONDS, CATCH), ["actor steps/s"] * 3)


def test_a_run_that_ends_by_itself_is_reported_with_its_output():
    with pytest.raises(BenchFailed) as caught:
        observe_process.watch(("dqn/ctach",), "local")
    said = str(caught.value)
    assert "ended before its first learner step, with exit code 2" in said
    assert "unknown experiment 'dqn/ctach'; did you mean 'dqn/catch'?" in said


@pytest.mark.slow
def test_a_run_continues_only_in_its_turns():
    def row():
        run._rows.read()
        return run._rows.newest["actor_steps"]

    with observe_process.in_turns(CATCH) as run:
        process = psutil.Process(run._run.pid)
        deadline = time.monotonic() + 20  # a signal takes its time
        while process.status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for _ in range(2):
            before = row()
            assert run.go(0.3) > 0
            after = row()
            assert after > before
            time.sleep(0.3)
            assert row() == after and process.status() == psutil.STATUS_STOPPED
        began = time.monotonic()
    assert not process.is_running()
    assert time.monotonic() - began < 45, "it was killed, not ended in order"


def test_time_in_which_a_run_is_paused_does_not_count():
    # The run was paused for 7 seconds before the row of step 30 was written.
    assert observe_process.rate({20: 1.0, 30: 8.1, 50: 8.3, 130: 8.6}) == approx(200)
