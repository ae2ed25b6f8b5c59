"""Vieillard et al., "Leverage the Average" (2020): the deep experiments.

https://arxiv.org/abs/2003.14089, appendix E. All of its settings are Dopamine's, except
LunarLander's learning rate and target period. CartPole and LunarLander: 10 seeds,
500,000 agent steps. Asterix, Breakout and Seaquest: 3 seeds, 50,000,000 agent steps,
centred RMSProp, and Dopamine's padded convolutions. The metric is the mean over
iterations of the undiscounted return of the last 100 training episodes (appendix E.4).

The paper's figures are grids over beta and tau for each agent; `..._grid` trains them.
Games with `-cpu` have a small network and the short schedule of `pong-cpu`.

Deviations:
- The values of beta in the grids, and those of tau on CartPole and LunarLander, are
  ours: the paper's cannot be read. On Atari tau has the paper's values. The measure is
  the mean return of the training episodes over all steps.
- Features of CartPole are scaled and rewards clipped to [-1, 1], as Dopamine does by
  default. The paper mentions neither; without scaling, the action values diverge with
  these settings. In LunarLander clipping changes the task (landing gives 1 instead of
  100, and a crash -1); `--environment.protocol gymnasium` leaves its rewards unclipped.
- The figures without `_grid` have one point of the paper's grids. We tried four points
  on CartPole (100,000 steps, seed 0) and chose the one with the largest KL and entropy
  weights (`results/leverage_scan.csv`). LunarLander's point is not tuned. On Atari the
  point is the one that M-DQN's settings imply.
- The loss is the squared error, as in the paper's regression, also for the agents that
  we add to the paper's: M-DQN, Deep CPI and Soft-DQN. With the Huber loss of M-DQN's
  authors, whose CartPole is `munchausen/cartpole`, M-DQN does worse, and one of three
  seeds diverged (`results/leverage_huber.csv`).
- On Atari DQN, M-DQN and Momentum DQN have their default Huber loss, and the `-cpu`
  games Adam.
- Learning starts after 500 agent steps, as in Dopamine; the paper gives no number.
- Episodes end after 500 (CartPole) and 1,000 steps (LunarLander), as in gymnasium, and
  agents bootstrap from the last state; the paper's framework stores these limits as the
  end of the task (`--agent.storage.terminal_at_time_limit true`).
- LunarLander-v3 replaces v2, which gymnasium no longer has.
"""

from experiments.catalogue import dopamine, figure
from experiments.catalogue.figure import Variant
from experiments.catalogue.grid import Grid
from experiments.catalogue.tasks import PONG_CPU, TASKS, Environment, Task, atari


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

GAMES = ("asterix", "breakout", "seaquest")

# Dopamine's network and optimiser; see `agents.parts.sgd.RMSPROP`.
ATARI = {
    "network.torso": "nature_padded",
    "optimizer.learning_rate": 2.5e-4,
    "optimizer.epsilon": 1e-5,
    "optimizer.square_decay": 0.95,
    "optimizer.method": "rmsprop",
}


def _game(game: str) -> Task:
    """A game in the paper's settings."""
    task = atari(f"Atari {game.title()} under KL and entropy penalties", game)
    return task._replace(settings=ATARI)


def _small_game(game: str) -> Task:
    """The same game with a small network and a short schedule."""
    task = _game(game)
    return TASKS["pong-cpu"]._replace(
        description=f"{task.description}, without GPU",
        environment=task.environment,
        settings=PONG_CPU | {"storage.n_step": 1},
    )


# Those that M-DQN's settings imply; tau is one of the paper's values on Atari.
_ATARI_VARIANTS = {
    name: variant
    for name, variant in variants(0.027, 0.003).items()
    if name not in ("deep_cpi", "soft_dqn")
}

FIGURES = (
    figure.make("leverage/cartpole", CARTPOLE, variants(99.0, 1.0), seeds=10),
    figure.make("leverage/lunarlander", LUNAR_LANDER, variants(0.9, 0.1), seeds=10),
    *(
        figure.make(f"leverage/{game}", _game(game), _ATARI_VARIANTS, seeds=3)
        for game in GAMES
    ),
    *(
        figure.make(f"leverage/{game}-cpu", _small_game(game), _ATARI_VARIANTS, seeds=3)
        for game in GAMES
    ),
)


def _grid(figure_name: str, task: str, temperatures: str, seeds: int) -> Grid:
    """The grid of each penalised agent of a figure."""
    agents = ("md_direct", "md_indirect", "dual_averaging")
    return Grid(
        f"{figure_name}_grid",
        f"{task} over beta and tau: MD-direct, MD-indirect and dual averaging",
        tuple(f"{figure_name}_{agent}" for agent in agents),
        {
            "agent.averaging": "0,0.9,0.99,0.999",
            "agent.temperature": temperatures,
            "seeds": str(seeds),
            "measure": "training",
        },
    )


GRIDS = {
    grid.name: grid
    for grid in (
        _grid("leverage/cartpole", "CartPole", "0.01,0.1,1", seeds=10),
        _grid("leverage/lunarlander", "LunarLander", "0.01,0.1,1", seeds=10),
        _grid("leverage/asterix", "Asterix", "0.001,0.003,0.01,0.03,0.1", seeds=3),
    )
}
