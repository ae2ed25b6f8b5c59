"""Vieillard et al., "Leverage the Average" (2020): the small deep experiments.

https://arxiv.org/abs/2003.14089, appendix E. All of its settings are Dopamine's, except
LunarLander's learning rate and target period. 10 seeds, 500,000 agent steps; the metric
is the mean over iterations of the undiscounted return of the last 100 training episodes
(appendix E.4).

Deviations:
- Features of CartPole are scaled and rewards clipped to [-1, 1], as Dopamine does by
  default. The paper mentions neither; without scaling, the action values diverge with
  these settings. In LunarLander clipping changes the task (landing gives 1 instead of
  100, and a crash -1); `--environment.protocol gymnasium` leaves its rewards unclipped.
- Instead of the paper's grids of temperatures and penalties, we use one point. We tried
  four points on CartPole (100,000 steps, seed 0) and chose the one with the largest KL
  and entropy weights (`results/leverage_scan.csv`). LunarLander's point is not tuned.
- The loss is the squared error, as in the paper's regression, also for the agents that
  we add to the paper's: M-DQN, Deep CPI and Soft-DQN. With the Huber loss of M-DQN's
  authors, whose CartPole is `munchausen/cartpole`, M-DQN does worse, and one of three
  seeds diverged (`results/leverage_huber.csv`).
- Learning starts after 500 agent steps, as in Dopamine; the paper gives no number.
- Episodes end after 500 (CartPole) and 1,000 steps (LunarLander), as in gymnasium, and
  agents bootstrap from the last state; the paper's framework stores these limits as the
  end of the task (`--agent.storage.terminal_at_time_limit true`).
- LunarLander-v3 replaces v2, which gymnasium no longer has.
"""

from experiments.catalogue import dopamine, figure
from experiments.catalogue.figure import Variant
from experiments.catalogue.tasks import Environment


def variants(kl_weight: float, temperature: float) -> dict[str, Variant]:
    """The agents of a figure; the penalised ones have these KL and entropy weights."""
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
