"""Invalid settings are refused when the configuration or the agent is built."""

import numpy as np
import pytest

from agents import (
    REGISTRY,
    deep_cpi,
    dqn,
    implicit_q,
    mirror_descent,
    momentum_dqn,
    sac,
    td3,
)
from agents.parts import checks, networks, sgd
from agents.parts.continuous_exploration import RandomStart
from agents.parts.contract import Storage, discrete_spec
from agents.parts.exploration import EpsilonGreedy

DISCRETE = discrete_spec((5,), np.float32, 3)


@pytest.mark.parametrize(
    "module, settings",
    [
        (dqn, {"loss": "mse"}),
        (mirror_descent, {"actor": "dual_averaging"}),
        (momentum_dqn, {"schedule": "decay"}),
    ],
)
def test_unknown_choices_are_refused(module, settings):
    config = module.Config(network=networks.Config("mlp", (7,)), **settings)
    [(field, value)] = settings.items()
    with pytest.raises(ValueError, match=f"{field} must be one of .*'{value}'$"):
        module.agent(config, DISCRETE)


def test_every_choice_of_every_agent_is_checked():
    """An unlisted value of a Literal is refused in each registered agent."""
    checked = 0
    for entry in REGISTRY.values():
        checks.choices(entry.config())  # the defaults are choices
        for name in ("loss", "actor", "schedule", "bonus_in"):
            if hasattr(entry.config, name):
                wrong = entry.config()
                object.__setattr__(wrong, name, "another")
                with pytest.raises(ValueError, match=f"{name} must be .*'another'"):
                    checks.choices(wrong)
                checked += 1
    assert checked >= 5


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda steps: EpsilonGreedy(start=steps), "exploration.start"),
        (lambda steps: EpsilonGreedy(decay_steps=steps), "exploration.decay_steps"),
        (lambda steps: RandomStart(start=steps), "exploration.start"),
        (lambda steps: sgd.every(steps, sgd.fixed), "target_update_period"),
    ],
)
def test_steps_beyond_int32_are_refused(make, field):
    make(2**31 - 1)
    with pytest.raises(checks.InvalidSetting) as refused:
        make(2**31)
    assert str(refused.value) == (
        f"{field} must be at most 2,147,483,647, got 2147483648"
    )


def test_a_transition_of_more_steps_than_the_replay_has_is_refused():
    Storage(n_step=20, capacity=20, min_size=3)
    with pytest.raises(checks.InvalidSetting, match=r"at most storage.capacity, 20, "):
        Storage(n_step=21, capacity=20, min_size=3)


def test_an_unknown_torso_is_refused():
    with pytest.raises(ValueError, match=r"torso must be one of nature, .*'resnet'"):
        networks.Config("resnet")


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, float("nan")])
@pytest.mark.parametrize(
    "make",
    [
        lambda share: implicit_q.Config(target_step_size=share),
        lambda share: sac.Config(target_step_size=share),
        lambda share: td3.Config(target_step_size=share),
        lambda share: deep_cpi.Config(averaging_rate=share),
        sgd.polyak,
    ],
)
def test_step_sizes_outside_zero_to_one_are_refused(make, share):
    make(1.0)
    with pytest.raises(ValueError, match="must be above 0 and at most 1, got"):
        make(share)
