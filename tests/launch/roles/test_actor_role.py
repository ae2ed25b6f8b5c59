"""An actor alone in the test's thread, with a made-up context."""

from launch.roles.actor_role import ActorRole
from tests.launch.roles.fake_context import FakeContext
from tests.launch.roles.made_up_program import Counting, Parameters, agent_of, store_of


def test_an_actor_spends_the_budget_and_stores_its_experience(run):
    store = store_of(run, agent_of(run))
    coordinator = Counting()
    context = FakeContext("actor/1", coordinator=coordinator, learner=Parameters(run))
    ActorRole(run, context, make_adder=lambda *_: store).run()
    assert 300 <= coordinator.actor_steps < 303 and coordinator.ended == 1
    assert store.inserted == coordinator.actor_steps, "a transition for each decision"
    assert len(coordinator.episodes) == coordinator.actor_steps // 9 // 3 * 3
    assert [peer.closed for peer in context.peers.values()] == [1, 1]


def test_an_actor_that_is_stopped_does_not_report_its_end(run):
    coordinator = Counting()
    context = FakeContext("actor/1", coordinator=coordinator, learner=Parameters(run))
    context.stop.set()
    ActorRole(run, context, make_adder=lambda *_: store_of(run, agent_of(run))).run()
    assert (coordinator.actor_steps, coordinator.ended) == (0, 0)
