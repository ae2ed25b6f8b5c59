"""`munchausen record`: the content of its videos, and its error messages."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, ImageSequence

from experiments import cli
from experiments.verbs import video
from tests.experiments.verbs.saved_runs import make_run, record


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def frames_of(path):
    with Image.open(path) as image:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]


def test_a_gif_shows_every_step_of_two_games_of_catch(runs, elsewhere, capsys):
    line = ["--output", "catch.gif", "--episodes", "2", "--seed", "3"]
    assert record(runs("mdqn/catch"), *line) == 0
    frames = frames_of("catch.gif")
    assert len(frames) == 2 * (1 + 5)
    assert {frame.size for frame in frames} == {(160, 6 * 24 + 18)}
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "catch.gif"
    assert out[1].startswith("steps 10  returns ") and out[1].count("1") == 3
    with Image.open("catch.gif") as image:
        assert image.info["duration"] == 200
    assert os.listdir(elsewhere) == ["catch.gif"]


def test_cartpole_is_recorded_at_its_own_size_and_speed(runs, capsys):
    line = ["--output", "pole.gif", "--steps", "4"]
    assert record(runs("mdqn/cartpole"), *line) == 0
    frames = frames_of("pole.gif")
    assert len(frames) == 5 and frames[0].size == (600, 400 + 28)
    strips = [np.asarray(frame)[400:] for frame in frames]
    assert all(strip.max() > 150 for strip in strips)  # there is ink
    assert all((a != b).any() for a, b in itertools.pairwise(strips))
    assert capsys.readouterr().out == "pole.gif\nsteps 4  no episode ended\n"


def test_atari_is_recorded_as_a_playable_mp4_in_the_run(runs, capsys):
    run = runs("mdqn/pong-cpu")
    assert record(run, "--steps", "29") == 0
    path = run / "policy.mp4"
    assert capsys.readouterr().out.startswith(f"{path}\nsteps 29 ")
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), *raw]
    read = subprocess.run(command, capture_output=True, check=True)
    frames = np.frombuffer(read.stdout, np.uint8).reshape(-1, 210 + 18, 160, 3)
    assert len(frames) == 30
    assert re.search(rb"Duration: 00:00:02.0.*yuv420p.* 15 fps", read.stderr, re.DOTALL)
    brown = frames[-1, 80:180, 40:120].mean(axis=(0, 1))
    assert brown == pytest.approx([144, 72, 17], abs=8)
    assert all(frame[210:].max() > 150 for frame in frames)


def test_equal_seeds_give_equal_videos_and_others_do_not(runs):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        line = ["--output", f"{name}.gif", "--episodes", "4", "--seed", seed]
        assert record(runs("mdqn/catch"), *line) == 0
    a, b, c = (Path(f"{name}.gif").read_bytes() for name in "abc")
    assert a == b != c


def test_a_video_replaces_the_one_before(runs, elsewhere):
    (elsewhere / "a.gif").write_text("old")
    assert record(runs("mdqn/catch"), "--output", "a.gif", "--steps", "1") == 0
    assert len(frames_of("a.gif")) == 2


@pytest.mark.parametrize(
    "line, message",
    [
        ("", "name one run directory"),
        ("nowhere", "nowhere is not a directory"),
        ("file", "file is not a directory"),
        (".", "is not a run directory: it has no config.yaml"),
        (". .", "name one run directory"),
        (". --output video.avi", "must end in .mp4 or .gif, got video.avi"),
        (". --output video", "--output must end in .*, got video$"),
        (". --output missing/video.gif", "there is no directory missing"),
        (". --output folder.gif", "folder.gif: it is a directory"),
        (". --output file/video.gif", "cannot write file/video.gif"),
        (f". --output {'x' * 300}.gif", "cannot write .*name too long"),
        (". --episodes 0", "--episodes must be at least 1"),
        (". --steps 0", "--steps must be at least 1"),
        (". --seed -1", "--seed must be at least 0"),
        (". --step 5", "unknown field --step; did you mean --steps"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(line, message, elsewhere, capsys):
    (elsewhere / "file").write_text("mine")
    (elsewhere / "folder.gif").mkdir()
    assert cli.main(["record", *line.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("munchausen: ") and err.count("\n") == 1
    assert re.search(message, err, re.IGNORECASE), err
    assert sorted(os.listdir(elsewhere)) == ["file", "folder.gif"]


def test_a_run_without_or_with_a_damaged_checkpoint_is_refused(elsewhere, capsys):
    run = make_run(elsewhere, "mdqn/catch")
    [saved] = (run / "checkpoints").iterdir()
    (saved / "manifest.json").write_text("{")
    assert record(run) == 2
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == f"munchausen: all checkpoints of {run} are damaged"
    (run / "config.yaml").write_text("experiment: {kind: Other}")
    assert record(run) == 2
    assert "does not fit this version" in capsys.readouterr().err
    assert not (run / "policy.mp4").exists()


@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_a_disk_that_fills_up_leaves_the_old_video(
    runs, suffix, elsewhere, capsys, monkeypatch
):
    path = elsewhere / f"a.{suffix}"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(video, f"_write_{suffix}", full)
    assert record(runs("mdqn/catch"), "--output", str(path)) == 2
    err = capsys.readouterr().err
    assert err == f"munchausen: cannot write {path}: No space left on device\n"
    assert path.read_text() == "old" and os.listdir(elsewhere) == [path.name]


def test_recording_hides_the_output_of_libraries(runs):
    command = [
        "record",
        str(runs("mdqn/cartpole")),
        "--steps",
        "1",
        "--output",
        "a.mp4",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "experiments.cli", *command],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "a.mp4\nsteps 1  no episode ended\n"
