"""A disk that fills up: the run says so, keeps its files, and can be resumed later."""

import contextlib
import json
import re
import shutil
import subprocess

import pytest

from launch.runs import checkpoint
from launch.runs.logs import read_evaluations
from tests.whole_runs import catch_commands

pytestmark = [pytest.mark.launchpad, pytest.mark.slow, pytest.mark.timeout(400)]
SIZE = 24 << 20  # bytes


@pytest.fixture
def disk(tmp_path):
    """A small disk where runs go."""
    path = tmp_path / "runs"
    path.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(path)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(disk, room):
    """Fills the disk except for `room` bytes; returns the file that fills it."""
    filler = disk / "filler"
    # The run may take the last bytes first.
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        file.write(bytes(shutil.disk_usage(disk).free - room))
    return filler


def is_under_way(directory):
    saved = catch_commands.saved_steps(directory)
    return saved and catch_commands.is_evaluated(directory)


@pytest.mark.parametrize("room", [100_000, 0], ids=["checkpoint", "everything"])
@pytest.mark.parametrize("mode", ["local", "threads", "processes"])
def test_a_full_disk_is_one_line_and_the_run_resumes_when_there_is_room(
    command, disk, mode, room
):
    settings = "--checkpoint.period 2000 --agent.storage.capacity 3000"
    command.munchausen(catch_commands.line(mode, settings))
    directory = catch_commands.await_run(command, is_under_way, "a checkpoint")
    filler = fill(disk, room)
    code, out, err = command.wait(60)
    assert code == 1, err
    assert not command.alive()
    said = err[err.index("munchausen: ") :]
    assert len(re.findall("no space left on", said, re.IGNORECASE)) == 1, err
    if mode != "threads":  # for threads, Launchpad shows the traces
        assert "Traceback" not in err and "Exception" not in err, err
    assert f"kept in {directory.relative_to(command.directory)}\n" in err
    saved = checkpoint.newest(directory)
    assert saved.counts.actor_steps >= 2000
    for text in (directory / "metrics.jsonl").read_text().splitlines(keepends=True):
        assert not text.endswith("\n") or json.loads(text)["actor_steps"] > 0
    assert catch_commands.metrics(directory)[-1]["actor_steps"] >= 2000
    assert read_evaluations(directory)[-1].grid >= 500
    filler.unlink()
    steps = saved.counts.actor_steps + 1300
    name = directory.relative_to(command.directory)
    command.munchausen(f"train --resume {name} --steps {steps} --launch {mode}")
    code, out, err = command.wait(100)
    assert code == 0, err
    assert f"from step {saved.counts.actor_steps:,}" in out
    assert read_evaluations(directory)[-1].grid == steps
    drafts = [
        p.name for p in directory.rglob("*") if p.name.endswith((".draft", ".partial"))
    ]
    assert drafts == []
