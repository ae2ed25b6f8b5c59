"""The run and the context of a role; the tests' context is like the engine's."""

import dataclasses
import inspect

import pytest

from launch.engines.calls import CourierPeer
from launch.engines.launchpad_engine import LaunchpadContext
from launch.experiment import Origin
from launch.roles.context import Context, Peer
from launch.runs import initial_weights
from launch.runs.checkpoint import Checkpoint
from launch.runs.logs import Counts
from tests.launch.roles.fake_context import FakeContext, FakePeer


def test_a_run_starts_where_it_resumes(run, tmp_path):
    assert run.start == Counts()
    saved = Checkpoint(tmp_path, Counts(70, 280, 9, 3), {})
    assert run._replace(resume=saved).start == (70, 280, 9, 3)


def test_first_weights_are_loaded_only_before_a_run_has_learned(
    run, tmp_path, monkeypatch
):
    origin = Origin("q", str(tmp_path), "q", "0" * 64)
    experiment = dataclasses.replace(run.experiment, origins=(origin,))
    run = run._replace(experiment=experiment)
    monkeypatch.setattr(initial_weights, "load", lambda origins: {"loaded": origins})
    assert run.initial() == {"loaded": (origin,)}
    begun = Checkpoint(tmp_path, Counts(), {})  # offline, before the first update
    assert run._replace(resume=begun).initial() == {"loaded": (origin,)}
    saved = Checkpoint(tmp_path, Counts(70, 280, 9, 3), {})
    assert run._replace(resume=saved).initial() == {}


@pytest.mark.parametrize("context", [LaunchpadContext, FakeContext])
@pytest.mark.parametrize("name", ["peer", "address"])
def test_contexts_have_the_signatures_of_the_interface(context, name):
    wanted = inspect.signature(getattr(Context, name)).parameters
    found = inspect.signature(getattr(context, name)).parameters
    assert [(each.name, each.default) for each in found.values()] == [
        (each.name, each.default) for each in wanted.values()
    ]


@pytest.mark.parametrize("peer", [CourierPeer, FakePeer])
def test_peers_have_the_signatures_of_the_interface(peer):
    for name in ("begin", "close"):
        wanted = inspect.signature(getattr(Peer, name)).parameters
        assert list(inspect.signature(getattr(peer, name)).parameters) == list(wanted)


def test_the_name_of_a_replica_gives_its_index():
    assert FakeContext("actor/3").index == 3 and FakeContext("learner").index == 0
