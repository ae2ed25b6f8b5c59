"""Environments of other projects: built once, with a stand-in for uv."""

import os
import signal

import pytest

from experiments.benchmarks import peer_environments
from experiments.benchmarks.peer_environments import PEERS, Peer, Unavailable
from experiments.benchmarks.started_process import ended_in_order
from launch.errors import RunStopped

# Writes its arguments down, and makes the environment that it is told to make.
UV = """#!/bin/sh
echo "$*" >> {log}
case "$*" in
  *{refused}*) echo "error: no network" >&2; echo "  hint: none" >&2; exit 2;;
  venv*) for place; do :; done; mkdir -p $place/bin
    touch $place/bin/python $place/pyvenv.cfg;;
esac
"""


@pytest.fixture
def uv(tmp_path, monkeypatch):
    """Installs a stand-in for uv that fails at some word; returns its log."""
    log = tmp_path / "log"
    (tmp_path / "bin").mkdir()

    def install(refused="nothing"):
        script = tmp_path / "bin" / "uv"
        script.write_text(UV.format(log=log, refused=refused))
        script.chmod(0o755)
        return log

    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)
    monkeypatch.setitem(PEERS, "sbx", Peer("SBX", ("a==1", "b==2"), ("old==3",)))
    return install


def test_an_environment_is_built_once_and_again_for_other_versions(
    uv, tmp_path, monkeypatch, capsys
):
    log = uv()
    place = tmp_path / "peers" / "sbx"
    found = peer_environments.python("sbx", tmp_path / "peers")
    assert found == place / "bin" / "python" and found.exists()
    made, packages, alone = log.read_text().splitlines()
    assert made == f"venv --quiet --python 3.11 {place}"
    install = f"pip install --quiet --python {found}"
    assert packages == f"{install} --torch-backend cpu a==1 b==2"
    assert alone == f"{install} --no-deps --python-version 3.10 old==3"
    assert "installing SBX into" in capsys.readouterr().err

    assert peer_environments.python("sbx", tmp_path / "peers") == found
    assert len(log.read_text().splitlines()) == 3
    monkeypatch.setitem(PEERS, "sbx", Peer("SBX", ("a==1.1",)))
    peer_environments.python("sbx", tmp_path / "peers")
    assert log.read_text().endswith("--torch-backend cpu a==1.1\n")


def test_without_pytorchs_registry_the_usual_one_is_used(uv, tmp_path):
    log = uv(refused="torch-backend")
    found = peer_environments.python("sbx", tmp_path)
    assert f"pip install --quiet --python {found} a==1 b==2\n" in log.read_text()


def test_a_peer_that_cannot_be_installed_leaves_nothing_but_a_reason(uv, tmp_path):
    uv(refused="a==1")
    with pytest.raises(Unavailable) as caught:
        peer_environments.python("sbx", tmp_path / "peers")
    assert str(caught.value) == "error: no network hint: none"
    assert not (tmp_path / "peers" / "sbx").exists()


def test_a_folder_of_something_else_is_left_as_it_is(uv, tmp_path):
    uv()
    (tmp_path / "sbx").mkdir()
    (tmp_path / "sbx" / "thesis.tex").touch()
    with pytest.raises(Unavailable, match="sbx must be absent or an environment"):
        peer_environments.python("sbx", tmp_path)
    assert os.listdir(tmp_path / "sbx") == ["thesis.tex"]


def test_without_uv_the_reason_names_it(monkeypatch, tmp_path):
    monkeypatch.setattr(peer_environments, "_places", lambda: [str(tmp_path)])
    with pytest.raises(Unavailable, match="uv must be installed and is not"):
        peer_environments.python("sbx", tmp_path)


def test_a_signal_during_an_installation_leaves_nothing(tmp_path, monkeypatch):
    def installed(peer, place, interpreter):
        place.mkdir(parents=True)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(peer_environments, "_install", installed)
    with pytest.raises(RunStopped), ended_in_order():
        peer_environments.python("sbx", tmp_path)
    assert not os.listdir(tmp_path)


def test_every_version_is_pinned():
    for peer in PEERS.values():
        assert all("==" in each for each in (*peer.packages, *peer.alone))


def test_the_folder_is_in_the_users_cache(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert str(peer_environments.default_folder()) == "/somewhere/munchausen/peers"
