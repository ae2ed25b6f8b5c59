"""CPU of other processes: what the machine spends minus what a benchmark spends."""

import subprocess
import sys

import pytest
from pytest import approx

from experiments.benchmarks import others_cpu
from experiments.benchmarks.others_cpu import OthersCpu

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"


@pytest.mark.parametrize(
    "machine, own, cores",
    [
        ([10.0, 16.0], [4.0, 7.0], 0.6),  # 6 busy seconds, 3 of them ours, in 5 s
        ([10.0, 16.0], [4.0, 10.2], 0.0),  # the kernel's two counts differ a little
    ],
)
def test_cores_of_others_are_the_machine_without_the_own_processes(
    monkeypatch, machine, own, cores
):
    clock = [100.0, 105.0]
    monkeypatch.setattr(others_cpu, "_machine", lambda: machine.pop(0))
    monkeypatch.setattr(others_cpu, "_own", lambda: own.pop(0))
    monkeypatch.setattr(others_cpu.time, "monotonic", lambda: clock.pop(0))
    assert OthersCpu().cores() == approx(cores)


def test_idle_time_is_not_busy(monkeypatch):
    fields = {"user": 1, "nice": 2, "system": 4, "idle": 8, "iowait": 16, "irq": 32}
    fields |= {"softirq": 64, "steal": 128, "guest": 256, "guest_nice": 512}
    times = type("times", (), fields)
    monkeypatch.setattr(others_cpu.psutil, "cpu_times", lambda: times)
    assert others_cpu._machine() == 1 + 2 + 4 + 32 + 64 + 128


def test_processes_that_have_ended_and_that_live_are_own():
    before = others_cpu._own()
    subprocess.run([sys.executable, "-c", BURN], check=True)
    ended = others_cpu._own()
    assert ended - before > 0.28
    wait = f"{BURN}print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", wait], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as living:
        living.stdout.readline()
        assert others_cpu._own() - ended > 0.28
        living.stdin.close()


def test_a_tree_that_changes_while_it_is_read_is_read_again(monkeypatch):
    trees = [["a", "b"], ["a"], ["a"], ["a"]]  # b ends between two reads
    root = type("root", (), {"children": lambda self, recursive: trees.pop(0)})()
    monkeypatch.setattr(others_cpu.psutil, "Process", lambda: root)
    monkeypatch.setattr(others_cpu, "_spent", lambda tree: {3: 7.5, 2: 8.5}[len(tree)])
    assert others_cpu._own() == 8.5
