"""Hosts of a Ray cluster must fit together."""

import signal
import sys

import pytest

pytest.importorskip("ray", reason="the extra `cluster` is not installed")

from launch.engines import ray_cluster
from launch.engines.versions import Facts
from launch.surroundings import Unfit

OURS = Facts("head", "/src", "d1", "3.10", {"protobuf": "3.20.3", "jax": "0.6.2"})


def test_a_host_that_must_not_differ_is_named():
    theirs = OURS._replace(host="gpu1", packages={"protobuf": "3.19.6"})
    with pytest.raises(Unfit) as error:
        ray_cluster.compare(OURS, [OURS, theirs])
    assert str(error.value) == (
        "host gpu1: protobuf must be 3.20.3, is 3.19.6; install the same lock on every "
        "host"
    )


def test_other_differences_are_told(capsys):
    packages = {"protobuf": "3.20.3", "jax": "0.6.1"}
    ray_cluster.compare(OURS, [OURS._replace(host="far", packages=packages)])
    assert capsys.readouterr().err == (
        "munchausen: host far: jax is 0.6.2 at the launcher, here 0.6.1\n"
    )


def test_an_installed_package_is_not_sent(tmp_path):
    theirs = [OURS, OURS._replace(host="far", digest="")]
    with pytest.raises(Unfit) as error:
        ray_cluster._check_shippable(str(tmp_path), theirs)
    assert str(error.value) == (
        f"every host must have this version of munchausen in {tmp_path}, missing or "
        "different on far; install the same wheel there, or start from a source tree, "
        "which is sent"
    )
    (tmp_path / "setup.cfg").touch()
    ray_cluster._check_shippable(str(tmp_path), theirs)


def test_what_ray_raises_is_one_line(monkeypatch):
    def fail(**settings):
        raise RuntimeError("no\n  answer")

    monkeypatch.setattr(ray_cluster.ray, "init", fail)
    with pytest.raises(Unfit) as error:
        ray_cluster._connect("head:6379")
    assert str(error.value).endswith(
        "to which this machine belongs, got: no answer; run `ray start --address "
        "HEAD:PORT` on this machine, with the same token"
    )


@pytest.mark.parametrize("during", [True, False])
def test_a_notice_of_a_scheduler_is_ours_also_while_ray_starts(during, monkeypatch):
    """Ray's own handler of SIGTERM ends the process with exit code 15."""
    noticed = []

    def init(**settings):
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
        if during:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(ray_cluster.ray, "init", init)
    before = signal.signal(signal.SIGTERM, lambda number, frame: noticed.append(number))
    try:
        ray_cluster._connect("head:6379")
        if not during:
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert noticed == [signal.SIGTERM]
