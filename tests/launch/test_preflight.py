"""Experiments that are refused before a run starts."""

import dataclasses
import pickle
import subprocess
import sys

import numpy as np
import pytest

from agents import dqn, sac
from agents.parts.contract import Stage, Storage, discrete_spec
from environments import Catch, Classic, Gymnasium
from environments.checks import EnvironmentFailed
from launch import build, errors, preflight
from tests.launch.small_experiments import changed, pendulum, small_catch

ATARI = discrete_spec((4, 84, 84), np.uint8, 6)
STORAGE = Storage(capacity=1_000_000, min_size=20_000)


def test_check_returns_the_spec_of_the_environment(catch):
    ready = preflight.check(catch(), here=False)
    spec, frame_stack = ready.spec, ready.frame_stack
    assert spec.observation.shape == (10, 5) and spec.observation.dtype == "float32"
    assert (spec.num_actions, spec.action.shape, frame_stack) == (3, (), 1)


def test_an_agent_that_does_not_fit_is_refused(catch):
    with pytest.raises(ValueError, match="nature"):
        preflight.check(catch({"agent.network.torso": "nature"}))


def test_any_environment_config_fits(catch):
    for config in (Catch(4, 3), Classic("Acrobot-v1")):
        wanted = dataclasses.replace(catch(), environment=config)
        spec = preflight.check(wanted, here=False).spec
        assert spec.num_actions == 3


def test_a_users_environment_is_tried_before_a_run(catch, strangers):
    broken = Gymnasium("stranger_envs:Broken", {"how": "none"})
    with pytest.raises(EnvironmentFailed) as caught:
        preflight.check(dataclasses.replace(catch(), environment=broken))
    assert str(caught.value) == (
        "stranger_envs:Broken in lane 0 at step 2 of its episode 1: the reward must be "
        "a number, got None"
    )


@pytest.mark.parametrize(
    "name, config, environment, wanted, found",
    [
        ("sac", sac.Config(), "Swing", "continuous", "discrete"),
        ("dqn", dqn.Config(), "make_tank", "discrete", "continuous"),
    ],
)
def test_actions_of_another_kind_name_fitting_agents(
    name, config, environment, wanted, found, catch, strangers
):
    own = Gymnasium(f"stranger_envs:{environment}")
    changed = dataclasses.replace(
        catch(), agent_name=name, agent=config, environment=own
    )
    with pytest.raises(ValueError, match="choose one of ") as caught:
        preflight.check(changed, here=False)
    assert str(caught.value).startswith(
        f"{name} must have an environment whose actions are {wanted}, but those of "
        f"{own.id} are {found}: choose one of "
    )
    assert "\n" not in str(caught.value)


def test_checking_starts_no_jax_backend():
    """The launcher of the processes must leave the accelerators to the learner."""
    code = """
from launch import preflight
from tests.launch import small_experiments
experiment = small_experiments.catch()
preflight.check(experiment, "processes", here=False)
experiment.seeds("actor")
from jax._src import xla_bridge
print("backends:", list(xla_bridge._backends))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "backends: []", done.stderr


def refusal(mode, **changes):
    """Why learners and replay servers cannot share a run of Catch, in flags."""
    settings = {"agent.storage.batch_size": 12, "actors": 3}
    experiment = small_catch(settings | changes)
    stages = build.make_stages(experiment, build.spec_of(experiment))
    with pytest.raises(ValueError) as caught:
        preflight.check_shares(experiment, mode, stages)
    return errors.in_flags(caught.value, experiment)


@pytest.mark.parametrize(
    "mode, changes, said",
    [
        (
            "threads",
            {"learners": 2},
            "--learners must be 1 with --launch threads, got 2: each learner is a "
            "process; choose --launch processes",
        ),
        (
            "local",
            {"replays": 3},
            "--replays must be 1 with --launch local, got 3: a local run has no replay "
            "server; choose --launch processes",
        ),
        (
            "processes",
            {"replays": 4},
            "--replays must be at most --actors 3, got 4: each actor stores into one "
            "of the replay servers",
        ),
        (
            "processes",
            {"learners": 4, "replays": 2},
            "--agent.storage.batch_size must be a multiple of 8, as --learners 4 and "
            "--replays 2 share each batch, got 12",
        ),
        (
            "processes",
            {"replays": 3, "agent.storage.min_size": 2},
            "--agent.storage.min_size must be at least --replays 3, got 2",
        ),
        (
            "processes",
            {"learners": 2, "updates_per_call": 5},
            "--updates_per_call must be 1 with several learners, which agree on each "
            "update, got 5",
        ),
    ],
)
def test_learners_and_replays_that_cannot_share_a_run_are_refused(mode, changes, said):
    assert refusal(mode, **changes) == said


QUEUE = {"order": "queue", "samples_per_insert": 1.0, "capacity": 12}
QUEUED = {f"agent.storage.{name}": value for name, value in QUEUE.items()}


@pytest.mark.parametrize(
    "changes, said",
    [
        (
            {"learners": 2},
            "--learners must be 1 for mdqn, whose transitions are queued",
        ),
        (
            {"actors": 5},
            "--actors must divide --agent.storage.batch_size 12, as each actor has a "
            "queue of equal size, got 5",
        ),
        (
            {"agent.storage.capacity": 13},
            "--actors must divide --agent.storage.capacity 13, as each actor has a "
            "queue of equal size, got 3",
        ),
        (
            {"act_under_update": True},
            "--act_under_update must be false for mdqn, which learns from actions of "
            "the newest parameters, got true",
        ),
    ],
)
def test_queues_that_cannot_have_equal_parts_are_refused(changes, said):
    assert refusal("processes", **QUEUED | changes).startswith(said)


@pytest.mark.parametrize(
    "mode, changes", [("processes", {"replays": 2}), ("local", {"actors": 5})]
)
def test_queues_with_equal_parts_may_share_servers(mode, changes):
    settings = {"agent.storage.batch_size": 12, "actors": 3} | QUEUED | changes
    experiment = small_catch(settings)
    stages = build.make_stages(experiment, build.spec_of(experiment))
    preflight.check_shares(experiment, mode, stages)


def test_several_learners_of_a_run_in_stages_or_several_replays_of_none(tmp_path):
    def refused(agent_name, **changes):
        experiment = changed(pendulum(agent_name, "x.hdf5"), changes)
        stages = build.make_stages(experiment, build.spec_of(experiment))
        with pytest.raises(ValueError) as caught:
            preflight.check_shares(experiment, "processes", stages)
        return str(caught.value)

    assert refused("ploff", learners=2) == (
        "--learners must be 1 for ploff, which learns in 2 stages, got 2"
    )
    assert refused("bc", replays=2) == (
        "--replays must be 1 for a run that learns from a dataset, which has no "
        "replay, got 2"
    )


def test_learners_and_replays_that_divide_the_batch_may_share_it():
    experiment = small_catch(
        {"agent.storage.batch_size": 12, "actors": 3, "learners": 2, "replays": 3}
    )
    stages = build.make_stages(experiment, build.spec_of(experiment))
    preflight.check_shares(experiment, "processes", stages)


def test_the_refusal_of_a_batch_names_the_agents_own_field_and_is_picklable():
    experiment = changed(
        pendulum("bc", "x.hdf5"), {"learners": 3, "agent.batch_size": 7}
    )
    stages = build.make_stages(experiment, build.spec_of(experiment))
    with pytest.raises(errors.UnevenBatch) as caught:
        preflight.check_shares(experiment, "processes", stages)
    again = pickle.loads(pickle.dumps(caught.value))
    assert errors.in_flags(again, experiment) == (
        "--agent.batch_size must be a multiple of 3, as --learners 3 and --replays 1 "
        "share each batch, got 7"
    )


@pytest.mark.parametrize("replay", ["learner", "device"])
@pytest.mark.parametrize("field", ["learners", "replays"])
def test_a_replay_outside_of_the_server_needs_one_learner_and_one_server(field, replay):
    experiment = small_catch({"replay": replay})
    for mode in ("local", "processes"):
        preflight.check(experiment, mode, here=False)
    several = changed(experiment, {field: 2, "actors": 2})
    with pytest.raises(ValueError, match=rf"^--replay {replay} needs --{field} 1, as"):
        preflight.check(several, "processes", here=False)


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"actors": 3}, "must not have several actors, got --actors 3; remove"),
        ({"environments": 5}, "several environments, got --environments 5; remove"),
    ],
)
def test_settings_of_actors_are_refused_for_a_run_from_a_dataset(changes, said):
    with pytest.raises(ValueError, match=said):
        preflight.check(pendulum("bc", "x.hdf5", **changes), here=False)


@pytest.mark.parametrize(
    "changes, name",
    [
        ({"preparation.scale_rewards": True}, "preparation"),
        ({"dataset_reading.clip_actions": True}, "dataset"),
    ],
)
def test_settings_of_a_dataset_are_refused_for_a_run_that_acts(changes, name, catch):
    with pytest.raises(ValueError, match=f"flags that begin with --{name}. are for"):
        preflight.check(catch(changes), here=False)


def test_a_queue_and_a_dataset_are_not_on_the_device():
    offline = changed(pendulum("bc", "x.hdf5"), {"replay": "device"})
    stages = build.make_stages(offline, build.spec_of(offline))
    with pytest.raises(ValueError, match=r"^--replay device needs an agent that acts"):
        preflight._check_place(offline, "local", stages[-1])
    catch = small_catch({"replay": "device"})
    [stage] = build.make_stages(catch, build.spec_of(catch))
    queue = Storage(order="queue", capacity=7, batch_size=7, samples_per_insert=1.0)
    queued = Stage(stage.agent._replace(storage=queue))
    with pytest.raises(ValueError, match=r"^--replay device needs an agent with a re"):
        preflight._check_place(catch, "local", queued)


@pytest.mark.parametrize(("steps", "learns"), [(9, False), (10, True)])
def test_so_has_a_run_with_a_queue(steps, learns, catch):
    """Three environments make 9 or 12 transitions, of which an update takes 10."""
    queue = {"order": "queue", "samples_per_insert": 1.0, "capacity": 20}
    experiment = catch(
        {
            "steps": steps,
            "environments": 3,
            "agent.storage.batch_size": 10,
            **{f"agent.storage.{name}": value for name, value in queue.items()},
        }
    )
    ready = preflight.check(experiment, here=False)
    note = (
        "mdqn/catch will learn nothing: its first update comes after 10 actor steps, "
        f"and it ends after {steps} (--steps)"
    )
    assert ready.notes == (() if learns else (note,))


@pytest.mark.parametrize(("steps", "learns"), [(119, False), (120, True)])
def test_a_run_that_ends_before_its_first_update_has_a_note(steps, learns, catch):
    """100 steps fill the replay; then 20 steps owe a batch of 40 samples."""
    experiment = catch(
        {
            "steps": steps,
            "agent.storage.min_size": 100,
            "agent.storage.batch_size": 40,
            "agent.storage.samples_per_insert": 2.0,
        }
    )
    ready = preflight.check(experiment, here=False)
    note = (
        "mdqn/catch will learn nothing: its first update comes after 120 actor steps, "
        f"and it ends after {steps} (--steps)"
    )
    assert ready.notes == (() if learns else (note,))
