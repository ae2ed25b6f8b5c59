"""RLEF: summaries of facts, rewarded for claims that the facts entail.

Roit et al., "Factually Consistent Summarization via Reinforcement Learning with Textual
Entailment Feedback", ACL 2023, https://arxiv.org/abs/2306.00186. `rlef/weights` begins
with supervised fine-tuning (`sft`) on references of which three in ten have a planted
error, and varies the weight of the KL term (`alpha_<weight>`). The paper's claims: more
claims are entailed than after fine-tuning, the summaries resemble the references less
(ROUGE), and both the more so the smaller the weight.

Deviations:
- Summaries of six facts and decoders of 120,000 parameters instead of XSum and T5; the
  exact share of entailed claims as reward instead of a classifier's log-probability.
- The weights are ours: we have not seen the paper's.
- Completions are sampled at temperature 1, in training and in evaluation.
- Fine-tuning takes 6,000 updates: after fewer, more seeds have not learned to copy.
"""

from experiments.catalogue import figure
from experiments.catalogue.figure import Variant
from experiments.catalogue.tasks import TASKS
from launch.experiment import Evaluation

UPDATES, BATCH = 1_500, 32
STEPS = UPDATES * BATCH
SAMPLED = {"evaluation_temperature": 1.0}
RATE = {"optimizer.learning_rate": 3e-4}
WEIGHTS = (0.01, 0.03, 0.1, 0.3)
NAME = "rlef/weights"
FIRST = dict.fromkeys(("policy", "value", "sft"), f"{NAME}_sft")

FACTS = TASKS["facts"]._replace(
    description="weights of the KL term after fine-tuning on facts; at best 1",
    steps=STEPS,
    evaluation=Evaluation(period=STEPS // 10, episodes=512),
)
TUNED = FACTS._replace(
    steps=4 * STEPS, evaluation=Evaluation(period=4 * STEPS // 10, episodes=512)
)

FIGURE = figure.make(
    NAME,
    FACTS,
    {
        "sft": Variant("sft", SAMPLED, task=TUNED),
        **{
            f"alpha_{weight:g}": Variant(
                "rlef", {**SAMPLED, **RATE, "kl_weight": weight}, FIRST
            )
            for weight in WEIGHTS
        },
    },
    seeds=3,
)

FIGURES = (FIGURE,)
