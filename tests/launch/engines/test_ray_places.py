"""Roles that are placed before the program starts; Ray is made up."""

from types import SimpleNamespace

import pytest

pytest.importorskip("ray", reason="the extra `cluster` is not installed")

from launch.cluster import Cluster
from launch.engines import ray_places
from launch.engines.placement import Host
from launch.engines.program import Node
from launch.engines.ray_cluster import Connection
from launch.engines.ray_role import RayRole
from launch.engines.restarts import Budget
from launch.engines.supervisor import Rules
from launch.surroundings import Unfit

HEAD = Host("k1", "head", "10.0.0.1", 3.0, 0.0)
GPU = Host("k2", "gpu1", "10.0.0.2", 8.0, 2.0)
NODES = [
    Node("replay", make=None, stops=5, listens=True),
    Node("coordinator", make=None, stops=4, cpus=0.0),
    Node("learner", make=None, stops=3, accelerators=True),
    Node("evaluator", make=None, stops=2, restarts=Budget()),
    Node("actor", make=None, stops=1, replicas=3, restarts=Budget()),
]
CONNECTION = Connection([HEAD, GPU], "k1", "10.0.0.1", "")


class Local:
    """A Ray actor whose methods run at once."""

    def __init__(self, directory=None):
        self._role, self._directory = RayRole(""), directory

    def __getattr__(self, method):
        def remote(*arguments):
            if method == "check_directory" and self._directory is not None:
                arguments = (self._directory, *arguments[1:])
            return getattr(self._role, method)(*arguments)

        return SimpleNamespace(remote=remote)

    def close(self):
        self._role._log.close()


@pytest.fixture
def fake(monkeypatch):
    """Records bundles and actors; the actors reach the directory that is set here."""
    made = SimpleNamespace(bundles=[], actors=[], ready=True, directory=None)

    def group(bundles, strategy):
        made.bundles = bundles
        return SimpleNamespace(wait=lambda seconds: made.ready)

    def actor(root, cpus, gpus, strategy):
        made.actors.append(Local(made.directory))
        return made.actors[-1]

    monkeypatch.setattr(ray_places, "placement_group", group)
    monkeypatch.setattr(
        ray_places,
        "PlacementGroupSchedulingStrategy",
        lambda group, placement_group_bundle_index: placement_group_bundle_index,
    )
    monkeypatch.setattr(ray_places, "make_actor", actor)
    monkeypatch.setattr(ray_places.ray, "get", lambda answer, timeout=None: answer)
    yield made
    for each in made.actors:
        each.close()


def place(tmp_path, *wanted):
    cluster = Cluster(place=wanted)
    return ray_places.Placed(NODES, cluster, CONNECTION, Rules(tmp_path))


def test_each_role_is_bound_to_its_host(fake, tmp_path):
    placed = place(tmp_path)
    here = {"node:10.0.0.1": 0.001}
    fixed = [{"CPU": 1.0, **here}, here, {"CPU": 1.0, **here}]
    assert fake.bundles == [*fixed, {"CPU": 1.0}]
    assert [*placed.actors] == [("replay", 0), ("coordinator", 0), ("learner", 0)]


def test_the_evaluator_keeps_its_place_from_waiting_actors(fake, tmp_path):
    """Unless the user chose its host: there it may be started elsewhere."""
    assert place(tmp_path).kept == {"evaluator": 3}
    assert place(tmp_path, "evaluator=gpu1").kept == {}
    assert len(fake.bundles) == 3


def test_a_learner_on_another_host_has_its_gpus_and_a_shared_directory(fake, tmp_path):
    place(tmp_path, "learner=gpu1")
    there = {"node:10.0.0.2": 0.001}
    assert fake.bundles[0] == {"CPU": 1.0, **there}
    assert fake.bundles[2] == {"CPU": 1.0, "GPU": 2.0, **there}
    assert list(tmp_path.iterdir()) == [], "the files of the check are removed"


def test_a_directory_that_is_not_shared_is_named_with_its_host(fake, tmp_path):
    fake.directory = str(tmp_path / "elsewhere")
    with pytest.raises(Unfit) as error:
        place(tmp_path, "learner=gpu1")
    assert str(error.value) == (
        f"replay runs on gpu1 (10.0.0.2), which must read and write {tmp_path}, but "
        "cannot: it does not have this file system; give --runs on a shared file "
        "system, or start the program there"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_without_room_is_refused(fake, tmp_path):
    fake.ready = False
    with pytest.raises(Unfit) as error:
        place(tmp_path)
    assert str(error.value).startswith(
        "Ray must place replay on head, coordinator on head, learner on head, "
        "evaluator on any host within 120 s, but has not"
    )
