"""Frames, captions and encoders."""

import os

import imageio_ffmpeg
import numpy as np
import pytest

from experiments.verbs import video
from launch.policies.render_episodes import Frame
from tests.experiments.verbs.saved_runs import record


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_caption_fits_and_changes_only_the_strip():
    picture = np.full((210, 160, 3), 7, np.uint8)
    images = [
        np.asarray(video.captioned(Frame(picture, score, step, False)))
        for score, step in ((0.0, 0), (1_234_567.0, 27_000), (-99.5, 1))
    ]
    for image in images:
        np.testing.assert_array_equal(image[:210], picture)
        ink = image[210:, :, 0] > 100
        assert ink.any() and not ink[:, [0, -1]].any() and not ink[[0, -1]].any()
    long = images[1][210:, :, 0] > 100  # score and step keep apart
    columns = np.flatnonzero(long.any(axis=0))
    assert np.diff(columns).max() >= 6


@pytest.mark.parametrize(
    "score, shown",
    [(0, "0"), (-21.0, "-21"), (1200.0, "1,200"), (-0.25, "-0.2"), (200.04, "200.0")],
)
def test_scores_are_short(score, shown):
    assert video.number(score) == shown


def test_the_error_of_a_failed_encoder_is_shown(runs, monkeypatch, capsys, elsewhere):
    monkeypatch.setattr(video, "_MP4", ("-c:v", "nonsense", "-f", "mp4"))
    assert record(runs("mdqn/catch"), "--output", "a.mp4") == 2
    err = capsys.readouterr().err
    assert err.startswith("munchausen: cannot write a.mp4: ") and "nonsense" in err
    assert err.count("\n") == 1 and not os.listdir(elsewhere)


def test_without_an_encoder_gif_is_suggested(runs, monkeypatch, capsys, elsewhere):
    def missing():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    assert record(runs("mdqn/catch"), "--output", "a.mp4") == 2
    assert "MP4 needs ffmpeg, which is missing; use --output" in capsys.readouterr().err
    assert not os.listdir(elsewhere)


@pytest.mark.parametrize("name, start", [("A.GIF", b"GIF89a"), ("A.Mp4", b"\0\0\0")])
def test_a_suffix_may_have_any_case(name, start, runs, elsewhere):
    assert record(runs("mdqn/catch"), "--output", name, "--steps", "3") == 0
    assert (elsewhere / name).read_bytes().startswith(start)
