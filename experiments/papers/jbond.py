"""J-BOND's anchors: reward and distance with several rates and regularisations.

Sessa et al., "BOND: Aligning LLMs with Best-of-N Distillation", ICLR 2025,
https://arxiv.org/abs/2407.14622. `jbond/anchors` trains J-BOND with two rates of the
moving anchor (`eta_<rate>`), and the slower one with regularisation (`gamma_1`). The
paper's claim: its reward at equal KL divergence from the supervised policy lies above
that of REINFORCE with a fixed anchor, whatever the weight of its KL term.

The runs with a fixed anchor are `warp/anchors_sft_<weight>`: they have the same task,
first weights, number of updates, rate and baseline. `experiments.tables.fronts` draws
both, and the best reward that there can be at each divergence.

Deviations:
- A Markov chain with an exact reward and decoders of 120,000 parameters instead of
  Gemma 2B and 7B and a reward model; 1,500 updates of 32 prompts at a rate of 3e-5.
- J-BOND scores three completions for each prompt, so it sees three times as many scores
  as REINFORCE at equal updates; the paper's REINFORCE has two.
"""

from experiments.catalogue import figure
from experiments.catalogue.figure import Variant
from experiments.catalogue.tasks import TASKS
from launch.experiment import Evaluation

UPDATES, BATCH = 1_500, 32
STEPS = UPDATES * BATCH
RATE = {"optimizer.learning_rate": 3e-5}
FIRST = dict.fromkeys(("policy", "anchor", "sft"), "sft/preferences")

ANCHORS = {
    "eta_0.02": {"anchor_step_size": 0.02},
    "eta_0.05": {"anchor_step_size": 0.05},
    "gamma_1": {"anchor_step_size": 0.02, "regularization": 1.0},
}

FIGURE = figure.make(
    "jbond/anchors",
    TASKS["preferences"]._replace(
        description="anchors of J-BOND; the score is a golden reward",
        steps=STEPS,
        evaluation=Evaluation(period=STEPS // 20, episodes=512),
    ),
    {name: Variant("jbond", RATE | own, FIRST) for name, own in ANCHORS.items()},
    seeds=3,
)

FIGURES = (FIGURE,)
