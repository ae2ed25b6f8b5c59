"""Where the roles of a program run."""

import pytest

from launch.engines import placement
from launch.engines.placement import Host
from launch.engines.program import Node
from launch.engines.restarts import Budget
from launch.surroundings import Unfit

HEAD = Host("k1", "head", "10.0.0.1", 3.0, 0.0)
GPU = Host("k2", "gpu1", "10.0.0.2", 8.0, 2.0)
FAR = Host("k3", "far", "10.0.0.3", 5.0, 0.0)
HOSTS = [HEAD, GPU, FAR]


def node(role, **values):
    return Node(role, make=None, stops=1, **values)


REPLAY = node("replay", listens=True)
COORDINATOR = node("coordinator", cpus=0.0)
LEARNER = node("learner", accelerators=True)
ACTORS = node("actor", replicas=7, restarts=Budget())
EVALUATOR = node("evaluator", restarts=Budget())
NODES = [REPLAY, COORDINATOR, LEARNER, ACTORS, EVALUATOR]


def test_by_default_the_launchers_host_has_what_is_never_started_again():
    assert placement.choose(NODES, {}, HOSTS, "k1") == {
        "coordinator": HEAD,
        "learner": HEAD,
        "replay": HEAD,
    }


def test_the_replay_goes_where_the_learner_does():
    places = placement.choose(NODES, {"learner": "gpu1"}, HOSTS, "k1")
    assert places == {"coordinator": HEAD, "learner": GPU, "replay": GPU}
    assert placement.need_directory(places, "k1") == {"learner": GPU, "replay": GPU}
    assert placement.need_directory(places, "k2") == {"coordinator": HEAD}


def test_an_evaluator_can_be_placed_by_address_and_needs_no_directory():
    places = placement.choose(NODES, {"evaluator": "10.0.0.3"}, HOSTS, "k1")
    assert places["evaluator"] == FAR
    assert placement.need_directory(places, "k1") == {}


def test_an_unknown_host_is_named_with_those_that_are_there():
    with pytest.raises(Unfit) as error:
        placement.choose(NODES, {"learner": "gpu9"}, HOSTS, "k1")
    assert str(error.value) == (
        "--place learner=gpu9 must name a host of the cluster, which has head "
        "(10.0.0.1), gpu1 (10.0.0.2), far (10.0.0.3); choose one of these, or start "
        "Ray on that host"
    )


def test_only_the_learner_gets_the_gpus_of_its_host():
    assert placement.gpus(LEARNER, GPU) == 2.0
    assert placement.gpus(LEARNER, HEAD) == 0.0
    assert placement.gpus(REPLAY, GPU) == 0.0
    several = LEARNER._replace(replicas=2)  # which compute on the CPU of their host
    assert placement.gpus(several, GPU) == 0.0


@pytest.mark.parametrize(("actors", "cpus"), ((2, 5.0), (7, 10.0), (99, 10.0)))
def test_cpus_of_a_program(actors, cpus):
    assert placement.cpus(NODES, actors) == cpus


def test_an_elastic_program_begins_with_the_lower_bound():
    assert placement.actors_to_begin(NODES, 3, elastic=True) == 3
    assert placement.actors_to_begin(NODES, 3, elastic=False) == 7
    assert placement.actors_to_begin([LEARNER], 1, elastic=False) == 0


def test_a_cluster_that_is_too_small_is_refused():
    placement.check_cpus(NODES, 7, HOSTS)
    with pytest.raises(Unfit) as error:
        placement.check_cpus(NODES, 7, [HEAD, FAR])
    assert str(error.value) == (
        "the cluster must have 10 CPUs for 7 actors and the other roles, it has 8; "
        "give a smaller --actors, or LOW..HIGH, or start Ray on more hosts; `ray start "
        "--num-cpus` overrides what Ray counts"
    )
