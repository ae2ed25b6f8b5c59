"""Local runs whose replay keeps its frames on the device."""

import pytest

from launch.replay.frames import DeviceFrames
from launch.runs import checkpoint, run_directory
from tests.launch.greedy_runs import greedy, result
from tests.launch.interrupted_runs import run_until
from tests.launch.local_runs import run_local, run_new

HOST = {"act_under_update": False, "replay": "host"}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A run with frames in the host's memory."""
    return run_new(tmp_path_factory.mktemp("host"), greedy(**HOST))


def test_a_run_is_the_same_wherever_its_frames_are(host, tmp_path, monkeypatch):
    written, write = [], DeviceFrames.write

    def counting(self, row, frame):
        written.append(row)
        write(self, row, frame)

    monkeypatch.setattr(DeviceFrames, "write", counting)
    device = run_new(tmp_path, greedy(replay="device"))
    assert len(written) > 420, "every decision stores a frame on the device"
    assert result(device) == result(host)


def test_a_run_resumes_from_frames_on_the_device(host, tmp_path, monkeypatch):
    experiment = greedy(replay="device")
    cut = run_directory.create(tmp_path, experiment)
    run_until(experiment, cut, 330, monkeypatch)
    run_local(experiment, cut, resume=checkpoint.newest(cut))
    assert result(cut) == result(host)
