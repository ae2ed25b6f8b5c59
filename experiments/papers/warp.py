"""WARP's anchors: a moving average of the policy against the supervised policy.

Ramé et al., "WARP: On the Benefits of Weight Averaged Rewarded Policies", 2024,
https://arxiv.org/abs/2406.16768. `warp/anchors` compares policy gradients by their
reward and their KL divergence from the supervised policy: with a moving average as
anchor (`ema`), and with the supervised policy as anchor and five weights of the KL term
(`sft_<weight>`). The paper's claim: at equal KL, the reward with the moving average is
at least that of any fixed anchor.

Here the best reward at each KL divergence from the chain is known exactly, see
`environments.language.preferences`; `experiments.tables.fronts` draws it.

Merges of finished runs, the paper's other two stages, have a command of their own, and
`experiments.tables.merges` measures them.

Deviations:
- A Markov chain with an exact reward and decoders of 120,000 parameters instead of
  Gemma 7B and a reward model; 1,500 updates of 32 completions at a rate of 3e-5.
- mu is 0.02 instead of 0.01, for shorter runs. The paper's temperature is 0.9; here it
  is 1, so that a fixed anchor has the exact optimum that its weight implies.
"""

from experiments.catalogue import figure
from experiments.catalogue.figure import Variant
from experiments.catalogue.tasks import TASKS
from launch.experiment import Evaluation

UPDATES, BATCH = 1_500, 32
STEPS = UPDATES * BATCH
SHARED = {"temperature": 1.0, "optimizer.learning_rate": 3e-5}
WEIGHTS = (0.0, 0.01, 0.03, 0.05, 0.1)  # of the KL term with a fixed anchor
FIRST = dict.fromkeys(("policy", "sft"), "sft/preferences")

ANCHORS = {
    "ema": {"anchor_weight": 0.1, "anchor_step_size": 0.02},
    **{
        f"sft_{weight:g}": {"anchor_weight": weight, "anchor_step_size": 0.0}
        for weight in WEIGHTS
    },
}

FIGURE = figure.make(
    "warp/anchors",
    TASKS["preferences"]._replace(
        description="anchors of a policy gradient; the score is a golden reward",
        steps=STEPS,
        evaluation=Evaluation(period=STEPS // 20, episodes=512),
    ),
    {name: Variant("warp", SHARED | own, FIRST) for name, own in ANCHORS.items()},
    seeds=3,
)

FIGURES = (FIGURE,)
