"""Value-based agents: shared optimiser settings and target period."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts import equations, sgd
from agents.parts.checks import InvalidSetting
from agents.parts.contract import Storage, Transition
from agents.parts.networks import Network
from agents.parts.value_based import assemble


@dataclass(frozen=True)
class Config:
    discount: float = 0.9
    target_update_period: int = 3
    loss: equations.Regression = "huber"
    optimizer: sgd.Optimizer = sgd.Optimizer(0.5, 1e-12)
    storage: Storage = Storage(batch_size=2)


def network(value):
    return Network(lambda key: jnp.float32(value), lambda params, _: params)


def loss(params, target_params, batch, key):
    return params["q"] * 7.0, {}


BATCH = Transition(*[np.zeros(2, np.float32)] * 5)


def made(config=None, **options):
    agent = assemble(
        config or Config(),
        networks={"q": network(1.0)},
        losses={"q": loss},
        act=lambda *_: (None, ()),
        **options,
    )
    state = agent.init(jax.random.key(0))
    for _ in range(3):
        state, _ = agent.update(state, BATCH)
        yield agent, state


def test_adam_moves_by_its_rate_and_targets_are_copied_at_the_period():
    states = [state for _, state in made()]
    online = [float(state.params["q"]) for state in states]
    assert online == pytest.approx([0.5, 0.0, -0.5], abs=1e-4)
    targets = [float(state.target_params["q"]) for state in states]
    assert targets == pytest.approx([1.0, 1.0, -0.5], abs=1e-4)


def test_optimisers_and_target_updates_can_be_replaced():
    *_, (_, state) = made(
        optimizers={"q": sgd.Optimizer(0.25, 1e-12).make()},
        copy=lambda params, targets, steps: {"q": targets["q"] + params["q"]},
    )
    assert float(state.params["q"]) == pytest.approx(0.25, abs=1e-4)
    assert float(state.target_params["q"]) == pytest.approx(1.25, abs=1e-4)


def test_the_agent_has_the_configurations_discount_and_storage():
    agent, _ = next(made())
    assert (agent.discount, agent.storage) == (0.9, Storage(batch_size=2))


def test_a_setting_outside_its_choices_is_refused():
    with pytest.raises(InvalidSetting, match="loss must be"):
        next(made(Config(loss="hubert")))
