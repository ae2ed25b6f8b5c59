"""The replay of a program: it has the agent's table, and leaves no files behind."""

import dataclasses
import socket
import threading

import pytest

from launch.replay import limiter
from launch.roles import replay_role
from launch.roles.replay_role import ReplayRole
from tests.launch.roles.fake_context import FakeContext


@pytest.mark.reverb
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorFlow 2.8
def test_the_replay_serves_the_agents_table_until_the_stop(run):
    import reverb

    context = FakeContext("replay")
    context.port = None  # any
    role = ReplayRole(run, context)
    serving = threading.Thread(target=role.run)
    serving.start()
    port = role._server.port
    client = reverb.Client(f"localhost:{port}")
    info = client.server_info()[limiter.TABLE]
    assert info.max_size == run.experiment.agent.storage.capacity
    assert info.rate_limiter_info.min_size_to_sample == 40
    assert serving.is_alive()
    context.stop.set()
    serving.join(20)
    assert not serving.is_alive()
    with pytest.raises(OSError):
        socket.create_connection(("localhost", port), timeout=9)


def test_scratch_files_of_a_server_are_removed_however_the_run_ends(tmp_path):
    scratch = tmp_path / "checkpoints" / ".server"
    kept = tmp_path / "checkpoints" / "100"
    kept.mkdir(parents=True)
    with pytest.raises(KeyError), replay_role.scratch_removed(tmp_path):
        scratch.mkdir()
        (scratch / "tables").touch()
        raise KeyError
    assert not scratch.exists() and kept.is_dir()


@pytest.mark.reverb
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorFlow 2.8
def test_one_of_several_servers_has_its_part_of_the_table(run):
    import reverb

    experiment = dataclasses.replace(run.experiment, replays=3)
    context = FakeContext("replay/1")
    context.port = None  # any
    role = ReplayRole(run._replace(experiment=experiment), context)
    info = reverb.Client(f"localhost:{role._server.port}").server_info()[limiter.TABLE]
    # 10,000 and 40 transitions in three parts.
    assert (info.max_size, info.rate_limiter_info.min_size_to_sample) == (3_333, 13)
    assert (run.directory / "checkpoints" / ".server" / "1").is_dir()
    role._server.stop()
