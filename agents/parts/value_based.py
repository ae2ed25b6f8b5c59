"""Assembles the agents of value-based papers from networks, losses and a policy."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import optax

from agents.parts import checks, sgd
from agents.parts.contract import Act, Agent, Params, Storage
from agents.parts.networks import Network


class Settings(Protocol):
    """Fields that the configuration of a value-based paper has."""

    @property
    def discount(self) -> float:
        """Gamma."""

    @property
    def target_update_period(self) -> int:
        """Learner steps between copies of the target networks."""

    @property
    def optimizer(self) -> sgd.Optimizer:
        """Optimiser of every network, with a separate state for each."""

    @property
    def storage(self) -> Storage:
        """How to store and sample transitions."""


def assemble(
    config: Settings,
    *,
    networks: Mapping[str, Network],
    losses: Mapping[str, sgd.Loss],
    act: Act,
    optimizers: Mapping[str, optax.GradientTransformation] = MappingProxyType({}),
    copy: sgd.TargetUpdate = lambda params, targets, steps: params,
    first_targets: Callable[[Params], Params] | None = None,
) -> Agent:
    """Builds an agent whose networks share optimiser settings and target period.

    Args:
        config: the paper's.
        networks: by name.
        losses: of each network, in the order in which they learn; see `sgd.learner`.
        act: see `Agent`.
        optimizers: of networks that do not use `config.optimizer`.
        copy: computes the targets at the end of each period; by default the networks.
        first_targets: see `sgd.learner`.

    Raises:
        InvalidSetting: a setting is not among the choices that its type lists.
    """
    checks.choices(config)
    shared = {name: config.optimizer.make() for name in losses}
    init, update = sgd.learner(
        networks={name: network.init for name, network in networks.items()},
        losses=losses,
        optimizers={**shared, **optimizers},
        target_update=sgd.every(config.target_update_period, copy),
        first_targets=first_targets,
    )
    return Agent(init, update, act, config.storage, config.discount)
