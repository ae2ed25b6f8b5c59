"""Acme's own classes accept our actor and learner, and its own loop drives them."""

import inspect
import signal

import acme.core
import numpy as np
import pytest
from acme import EnvironmentLoop
from acme.utils import loggers

import environments
from launch.build import make_agent, make_spec
from launch.replay.in_process import InProcess
from launch.roles.acme_interfaces import OneLane
from launch.roles.actor import Actor
from launch.roles.learner import Learner


@pytest.fixture(autouse=True)
def signal_handlers():
    """Acme's loop installs Launchpad's signal handlers, which swallow Ctrl+C."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (Actor, acme.core.Actor),
        (OneLane, acme.core.Actor),
        (Learner, acme.core.Learner),
        (Learner, acme.core.VariableSource),
        (Learner, acme.core.Saveable),
    ],
)
def test_our_classes_have_acmes_interfaces(ours, theirs):
    assert issubclass(ours, theirs)
    for name, method in inspect.getmembers(theirs, inspect.isfunction):
        if name.startswith("_"):
            continue
        expected = inspect.signature(method).parameters
        assert list(inspect.signature(getattr(ours, name)).parameters) == list(expected)


def test_acmes_environment_loop_drives_our_actor_and_learner(catch):
    settings = {"agent.storage.n_step": 3, "agent.storage.samples_per_insert": 8.0}
    experiment = catch(settings)
    environment = environments.make_single(experiment.environment, seed=1)
    spec = make_spec(environment)
    agent = make_agent(experiment, spec)
    store = InProcess(
        agent.storage,
        spec,
        discount=agent.discount,
        frame_stack=1,
        num_environments=1,
        seed=2,
    )
    learner = Learner(agent, 3, store)
    actor = Actor(agent.act, lambda: learner.params, 4, adder=store)
    assert isinstance(actor, acme.core.Actor)
    assert isinstance(learner, acme.core.Learner)

    log = loggers.InMemoryLogger()
    loop = EnvironmentLoop(environment, OneLane(actor), logger=log)
    loop.run(num_episodes=20)

    assert [row["episode_length"] for row in log.data] == [9] * 20
    assert {float(row["episode_return"]) for row in log.data} <= {-1.0, 1.0}
    assert store.inserted == actor.actor_steps == 20 * 9, "one transition per decision"
    assert store.owed() == (20 * 9 - 100) * 8 // 32
    learner.run(store.owed())
    assert learner.learner_steps == 20 and store.owed() == 0
    batch = store.next()
    ends = batch.reward != 0
    assert ends.any() and (batch.discount[ends] == 0).all()
    sizes = np.abs(batch.reward[ends])
    assert np.isclose(sizes[:, None], [1.0, 0.99, 0.99**2]).any(axis=1).all()
