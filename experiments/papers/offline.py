"""Agents that learn from datasets, side by side on each of ours.

Rezaeifar et al., "Offline RL as Anti-Exploration" (AAAI 2022), and Dadashi et al.,
"Offline RL with Pseudometric Learning" (ICML 2021), compare on D4RL's datasets, a
million transitions each, at the end of training; so do those who measured BC and
TD3+BC. The scores are D4RL's.

Deviations:
- The datasets are ours (`munchausen collect`), of about 200,000 transitions; see
  `experiments/datasets.md`.
- 50,000 learner steps, 20,000 of a first stage; the others have a million. Twice as
  long a stage made the pseudometric tell actions apart less well, on the one set that
  it was tried on (`results/separation.csv`).
- The CVAE is a third as wide as its authors' (256, for 750), and learns at 0.001 from
  batches of 256: at 0.0001 from 100, as theirs, its squared error on Hopper's expert
  actions is 0.044 after 20,000 steps, for 0.037.
- The bonus of TD3-CVAE weighs 30 in units of the reward divided by its range, chosen on
  Hopper's expert data; 1, 10 and 100 were tried with the slower CVAE, 10 with this one
  for 15,000 steps (`results/anti_exploration_scan.csv`). The papers' are unknown to us.
- TD3 without any penalty stands beside them: it shows what the penalties are for.
"""

from experiments.catalogue import figure
from experiments.catalogue.figure import Variant
from experiments.catalogue.tasks import TASKS
from launch.datasets.d4rl_scores import QUALITIES
from launch.experiment import Evaluation

FIRST_STAGE = {"pretraining_steps": 20_000}

VARIANTS = {
    "td3": Variant("td3"),
    "bc": Variant("bc"),
    "td3_bc": Variant("td3_bc"),
    "anti_exploration": Variant(
        "anti_exploration",
        {
            **FIRST_STAGE,
            "autoencoder.hidden": (256, 256),
            "autoencoder.optimizer.learning_rate": 1e-3,
            "autoencoder.batch_size": 256,
            "coefficient": 30.0,
        },
    ),
    "ploff": Variant("ploff", FIRST_STAGE),
}

GRID = Evaluation(period=5_000, episodes=10)

FIGURES = tuple(
    figure.make(
        f"offline/{name}-{quality}",
        TASKS[f"{name}-{quality}"]._replace(steps=50_000, evaluation=GRID),
        VARIANTS,
        seeds=3,
    )
    for name in ("hopper", "halfcheetah")
    for quality in QUALITIES
)
