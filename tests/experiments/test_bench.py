"""`munchausen bench`: every measurement measures; nothing here is about how fast."""

import json
import math
import os
import re
import subprocess
import sys
import time

import psutil
import pytest
from pytest import approx

from experiments import cli, flags
from experiments.benchmarks import measure, observe_process, parts, whole_runs
from experiments.benchmarks.measure import BenchFailed, Measurement, Timed
from experiments.catalogue.experiments import EXPERIMENTS
from experiments.verbs import bench

TINY = flags.replace(
    EXPERIMENTS["dqn/catch"],
    {"agent.network.hidden": (5,), "agent.storage.batch_size": 7},
)
CATCH = (
    *("dqn/catch", "--agent.network.hidden", "5", "--environments", "3"),
    *("--steps", "1_000_000", "--log_period", "20"),
)
SECONDS = 0.01


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(measured, units):
    """Every figure is a positive number beside a positive limit."""
    assert [one.unit for one in measured] == units
    assert len({one.name for one in measured}) == len(measured)
    for one in measured:
        assert isinstance(one, Measurement)
        for number in (one.value, one.limit, one.ratio):
            assert math.isfinite(number) and number > 0, one
        assert one.ratio == approx(one.value / one.limit)


class Clock:
    """Time that passes only while something is done."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(measure.time, "perf_counter", lambda: self.now)

    def takes(self, seconds):
        def spend():
            self.now += seconds

        return spend


def test_rates_are_counts_over_time_and_count_what_is_waited_for(monkeypatch):
    clock = Clock(monkeypatch)
    what = {
        "fast": Timed(clock.takes(0.01)),
        "slow": Timed(clock.takes(0.05)),
        "late": Timed(clock.takes(0.01), clock.takes(0.25)),  # as a device is
    }
    rates = measure.rates(what, seconds=2.0)
    assert rates["fast"] == approx(100)
    assert rates["slow"] == approx(20)
    assert rates["late"] == approx(50, rel=0.05)


def test_warming_up_does_not_count(monkeypatch):
    clock, durations = Clock(monkeypatch), [50.0, 9.0, 9.0]

    def step():
        clock.now += durations.pop(0) if durations else 0.1

    assert measure.rates({"a": Timed(step)}, 1.0)["a"] == approx(10)


@pytest.mark.parametrize(
    "one, wanted, met",
    [
        (measure.share("a", 9.0, 10.0, "s", least=0.9), "at least 0.9", True),
        (measure.share("a", 8.9, 10.0, "s", least=0.9), "at least 0.9", False),
        (measure.share("a", 1.0, 10.0, "s"), "", None),
        (measure.cost("a", 8.0, 8.0, "s"), "at most 1", True),
        (measure.cost("a", 8.1, 8.0, "s"), "at most 1", False),
    ],
)
def test_a_figure_knows_whether_it_is_good_enough(one, wanted, met):
    assert (one.wanted, one.met) == (wanted, met)


def test_an_actor_is_measured_with_every_number_of_environments():
    measured = parts.actor(TINY, SECONDS, sizes=(1, 3))
    check(measured, ["steps/s"] * 4)
    assert [one.name for one in measured] == [
        "actor steps, 1 environment",
        "actor steps, 1 environment, beside turns",
        "actor steps, 3 environments",
        "actor steps, 3 environments, beside turns",
    ]


def test_the_bare_update_is_measured():
    assert parts.bare_updates(TINY, SECONDS) > 0


@pytest.mark.reverb
# TensorFlow 2.8 is older than NumPy's deprecations.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_both_stores_feed_a_learner_and_are_weighed():
    check(parts.learner(TINY, SECONDS, size=100), ["steps/s"] * 2)
    local, remote = measured = parts.storage(TINY, size=200)
    check(measured, ["bytes"] * 2)
    # A board of 50 float32 and 16 bytes beside it, and rows that complete nothing.
    assert 216 <= local.value <= 260
    assert "Reverb" in remote.name


@pytest.fixture(scope="module")
def local_run():
    """What is seen of a local run of Catch."""
    return observe_process.watch(CATCH, "local", 0.2)


def test_a_whole_run_is_watched(local_run, monkeypatch):
    assert local_run.first > 0
    assert local_run.actor_steps > 0 and local_run.learner_steps > 0
    [process] = local_run.processes
    assert process.role == "local" and process.libraries == ("jax",)
    assert 50e6 < process.peak < 5e9
    seen = {"local": local_run, "processes": local_run}
    monkeypatch.setattr(whole_runs, "watch", lambda line, mode, seconds: seen[mode])
    check(whole_runs.runs(SECONDS, CATCH), ["actor steps/s"] * 2)
    check(whole_runs.start(CATCH), ["s"] * 2)
    check(whole_runs.footprint(SECONDS, CATCH)[:1], ["MiB"])


@pytest.mark.slow
@pytest.mark.launchpad
def test_every_process_of_a_distributed_run_is_seen():
    seen = observe_process.watch(CATCH, "processes", 1.0)
    roles = [process.role for process in seen.processes]
    assert roles == "actor/0 coordinator evaluator launcher learner replay".split()
    loaded = {process.role: process.libraries for process in seen.processes}
    assert {"jax", "reverb", "tensorflow"} <= set(loaded["learner"])
    assert seen.actor_steps > 0 and seen.learner_steps > 0


def test_a_run_that_ends_by_itself_says_why():
    with pytest.raises(BenchFailed) as caught:
        observe_process.watch(("dqn/ctach",), "local", 0.0)
    said = str(caught.value)
    assert "ended before its first learner step, with exit code 2" in said
    assert "unknown experiment dqn/ctach; nearest: dqn/catch" in said


def test_a_run_goes_only_in_its_turns():
    def row():
        run._rows.read()
        return run._rows.newest["actor_steps"]

    with observe_process.in_turns(CATCH) as run:
        process = psutil.Process(run._run.pid)
        time.sleep(0.3)  # a signal takes its time
        assert process.status() == psutil.STATUS_STOPPED
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


def test_what_a_run_stood_still_for_does_not_count():
    # It was stopped for 7 seconds before 30 was written.
    assert observe_process.rate({20: 1.0, 30: 8.1, 50: 8.3, 130: 8.6}) == approx(200)


def test_imports_are_counted_where_they_happen():
    helped, listed, run = measured = whole_runs.imports()
    check(measured, [""] * 3)
    assert "(none of the stack)" in helped.name and helped.value < 400
    assert "(jax)" in listed.name and "(jax)" in run.name
    assert helped.value < listed.value < run.value


@pytest.fixture
def figures(monkeypatch):
    """Replaces all measurements by two figures each; lists what was asked for."""
    asked = []

    def make(part):
        def measured():
            asked.append(part)
            return [
                measure.share(f"{part} speed", 1234.5, 2469.0, "steps/s", least=0.9),
                measure.cost(f"{part} size", 1.0, 8.0, "s"),
            ]

        return measured

    monkeypatch.setattr(
        bench, "_measurers", lambda seconds: {part: make(part) for part in bench.PARTS}
    )
    return asked


def test_the_table_shows_figure_limit_and_verdict(figures, capsys, elsewhere):
    assert cli.main(["bench", "--only", "storage,actor"]) == 0
    assert figures == ["actor", "storage"]
    out, err = capsys.readouterr()
    assert err == "measuring: actor\nmeasuring: storage\n"
    machine, header, *rows = out.splitlines()
    assert "cores" in machine and "load" in machine
    assert header.split() == ["figure", "value", "limit", "ratio", "wanted"]
    assert rows[0].split() == (
        "actor speed 1,234 steps/s 2,469 0.50 at least 0.9 NO".split()
    )
    assert rows[1].split() == "actor size 1 s 8 0.12 at most 1 yes".split()
    assert not os.listdir(elsewhere)


def test_the_file_holds_the_same_figures_and_what_they_were_measured_on(figures):
    assert cli.main(["bench", "--seconds", "0.5", "--output", "b.json"]) == 0
    with open("b.json") as file:
        read = json.load(file)
    assert figures == list(bench.PARTS)
    assert {"machine", "versions", "code", "started", "load", "seconds"} <= set(read)
    assert read["seconds"] == 0.5
    assert len(read["measurements"]) == 2 * len(bench.PARTS)
    assert read["measurements"][0] == {
        "name": "learner speed",
        "value": 1234.5,
        "limit": 2469.0,
        "ratio": 0.5,
        "unit": "steps/s",
        "least": 0.9,
        "most": None,
        "met": False,
    }


def test_a_failed_measurement_is_no_traceback(monkeypatch, capsys, elsewhere):
    def failed():
        raise BenchFailed("the run ended")

    monkeypatch.setattr(
        bench, "_measurers", lambda seconds: dict.fromkeys(bench.PARTS, failed)
    )
    assert cli.main(["bench", "--output", "b.json"]) == 1
    assert capsys.readouterr().err.endswith("munchausen: the run ended\n")
    assert not os.listdir(elsewhere)


@pytest.mark.parametrize(
    "line, message",
    [
        ("dqn/pong", "bench takes no arguments: dqn/pong"),
        ("--seconds 0", "--seconds: .*more than 0"),
        ("--only", "--only needs a value: learner|actor"),
        ("--only storage,actro", "'actro' is none of .*nearest: actor"),
        ("--only=", "--only: no part"),
        ("--output bench.csv", "bench.csv does not end in .json"),
        ("--output missing/bench.json", "there is no directory missing"),
        ("--second 3", "unknown field --second; nearest: --seconds"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(line, message, capsys, elsewhere):
    assert cli.main(["bench", *line.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("munchausen: ") and err.count("\n") == 1
    assert re.search(message, err), err
    assert not os.listdir(elsewhere)


def test_a_mistake_is_answered_before_jax_is_there(elsewhere):
    code = (
        "import sys; from experiments import cli; cli.main(['bench', '--only', 'x']);"
        "cli.main(['record', 'nowhere']); print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n"
