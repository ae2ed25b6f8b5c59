"""Vieillard et al., "Leverage the Average" (2020): the small deep experiments.

https://arxiv.org/abs/2003.14089, appendix E. All of its settings are Dopamine's, but
for LunarLander's learning rate and target period. 10 seeds, 500,000 agent steps; the
metric is the mean undiscounted return of the training episodes of the whole run.

Deviations:
- Features of CartPole are scaled and rewards clipped to [-1, 1], as Dopamine does by
  default. The paper names neither; without scaling the action values diverge with
  these settings. In LunarLander clipping changes what is learnt (landing gives 1, not
  100, and a crash -1); `--environment.protocol gymnasium` leaves its rewards raw.
- The paper's grids of temperatures and penalties are one point here: of four that we
  tried on CartPole, 100,000 steps of seed 0, the one with most KL divergence and
  entropy (`results/leverage_scan.csv`). For LunarLander it is not tuned.
- The squared error, as the paper's regression, also for M-DQN, Deep CPI and Soft-DQN,
  which stand beside the paper's agents. With the Huber loss of M-DQN's authors, whose
  CartPole is `munchausen/cartpole`, M-DQN does worse, and one of three seeds diverged
  (`results/leverage_huber.csv`).
- Learning starts after 500 agent steps, as in Dopamine; the paper does not say.
- Episodes end after 500 (CartPole) and 1,000 steps (LunarLander), as gymnasium has it.
- LunarLander-v3 instead of v2, which gymnasium no longer has.
"""

from experiments.catalogue import dopamine, figure
from experiments.catalogue.figure import Variant
from experiments.catalogue.tasks import Environment


def variants(kl_weight: float, temperature: float) -> dict[str, Variant]:
    """The agents of a figure; actors have these weights of KL and entropy."""
    penalties = {"kl_weight": kl_weight, "temperature": temperature}
    return {
        "dqn": Variant("dqn"),
        "mdqn": Variant("mdqn"),
        "momentum_dqn": Variant("momentum_dqn"),
        "md_direct": Variant("md_direct", penalties),
        "md_indirect": Variant("md_indirect", penalties),
        "dual_averaging": Variant("dual_averaging", penalties),
        "deep_cpi": Variant("deep_cpi"),
        "soft_dqn": Variant("soft_dqn"),
    }


# The squared error is the paper's regression.
CARTPOLE = dopamine.CARTPOLE._replace(
    description="CartPole under KL and entropy penalties; at best 500", loss="squared"
)

LUNAR_LANDER = CARTPOLE._replace(
    description="LunarLander under KL and entropy penalties; 200 is solved",
    environment=Environment(
        "Classic", {"name": "LunarLander-v3", "protocol": "dopamine"}
    ),
    settings=dopamine.SETTINGS | {"target_update_period": 625},  # 2,500 agent steps
)

FIGURES = (
    figure.make("leverage/cartpole", CARTPOLE, variants(99.0, 1.0), seeds=10),
    figure.make("leverage/lunarlander", LUNAR_LANDER, variants(0.9, 0.1), seeds=10),
)
