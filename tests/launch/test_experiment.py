"""Experiments: checked when they are made, picklable, and their seeds."""

import dataclasses
import itertools
import pickle

import pytest

from launch.experiment import ROLES, Checkpointing, Evaluation


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("steps", 0, "steps must be at least 1, got 0"),
        ("log_period", -5, "log_period must be at least 1, got -5"),
        ("actors", 0, "actors must be at least 1, got 0"),
        ("environments", 0, "environments must be at least 1, got 0"),
        ("seed", -1, "seed must be at least 0, got -1"),
        ("stall_seconds", 0.0, "stall_seconds must be above 0, got 0"),
    ],
)
def test_a_value_out_of_range_is_named(catch, field, value, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(catch(), **{field: value})


@pytest.mark.parametrize(
    "settings, field",
    [(Evaluation, "period"), (Evaluation, "episodes"), (Checkpointing, "period")],
)
def test_periods_and_episodes_must_be_at_least_one(settings, field):
    with pytest.raises(ValueError, match=f"{field} must be at least 1, got 0"):
        settings(**{field: 0})


def test_an_experiment_travels_to_other_processes(catch):
    experiment = catch({"seed": 7})
    assert pickle.loads(pickle.dumps(experiment)) == experiment


def test_no_two_processes_share_a_seed(catch):
    runs = [catch({"seed": seed}) for seed in (0, 1, 2)]
    places = itertools.product(runs, ROLES, range(3), (0, 1, 100))
    seeds = [
        seed
        for run, role, index, start in places
        for seed in run.seeds(role, index, start)
    ]
    assert len(set(seeds)) == len(seeds) == 3 * len(ROLES) * 3 * 3 * 2
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_seeds_do_not_change_between_versions(catch):
    assert ROLES == ("learner", "replay", "actor", "evaluator")
    experiment = catch({"seed": 5})
    assert experiment.seeds("actor", 1) == [1804607440, 148145967]
