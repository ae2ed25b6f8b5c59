"""Networks, losses and a policy in, an agent out: what value-based papers share."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import optax

from agents.parts import checks, sgd
from agents.parts.contract import Act, Agent, Params, Storage
from agents.parts.networks import Network


class Settings(Protocol):
    """What the configuration of such a paper holds, whatever else it holds."""

    @property
    def discount(self) -> float:
        """Gamma."""

    @property
    def target_update_period(self) -> int:
        """Learner steps between copies of the target networks."""

    @property
    def optimizer(self) -> sgd.Adam:
        """Of every network; each has a state of its own."""

    @property
    def storage(self) -> Storage:
        """What to store."""


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
    """An agent whose networks share an optimiser's settings and are copied together.

    Args:
        config: the paper's.
        networks: by name.
        losses: of each network, in the order in which they learn; see `sgd.learner`.
        act: see `Agent`.
        optimizers: of networks that learn otherwise than `config.optimizer` says.
        copy: new targets, each time the period is over; by default the networks.
        first_targets: see `sgd.learner`.

    Raises:
        InvalidSetting: a setting is none of those that its type names.
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
