"""BOND's numbers of samples and divergences, and J-BOND's anchors.

Sessa et al., "BOND: Aligning LLMs with Best-of-N Distillation", ICLR 2025,
https://arxiv.org/abs/2407.14622. The runs of both figures begin with supervised
fine-tuning. `experiments.tables.fronts` draws their rewards over the KL divergence from
the supervised policy, and the best reward that there can be at each divergence.

`bond/anchors` has a fixed anchor, the best of 4 or 8 samples, and three weights beta of
the backward KL (`n4_beta_0.5`); and the best of 2 samples of an anchor that becomes the
policy every 100 updates (`iterated`). The paper's claims: beta of 0.5 has a small
forward and a small backward KL, each of which another beta neglects; without
iterations reward and log-quantile saturate, the sooner the smaller N is; with
iterations both keep rising.

`jbond/anchors` trains J-BOND with two rates of the moving anchor (`eta_<rate>`), and
the slower one with regularisation (`gamma_1`). The paper's claim: its reward at equal
KL divergence from the supervised policy lies above that of REINFORCE with a fixed
anchor, whatever the weight of its KL term. The runs with a fixed anchor are
`warp/anchors_sft_<weight>`: they have the same task, first weights, number of updates,
rate and baseline.

Deviations:
- A Markov chain with an exact reward and decoders of 120,000 parameters instead of
  T5, Gemma 2B and 7B and a reward model. BOND has 600 updates of 32 prompts at a rate
  of 1e-4, with which it converges; J-BOND has 1,500 at 3e-5.
- The paper's BOND with iterations moves its anchor every 1,000 updates.
- J-BOND scores three completions for each prompt, so it sees three times as many scores
  as REINFORCE at equal updates; the paper's REINFORCE has two. BOND scores 17.
"""

from experiments.catalogue import figure
from experiments.catalogue.figure import Variant
from experiments.catalogue.tasks import TASKS
from launch.experiment import Evaluation

BATCH = 32
FIRST = dict.fromkeys(("policy", "anchor", "sft"), "sft/preferences")

SAMPLES = {
    f"n{n}_beta_{beta}": {
        "best_of": n,
        "backward_weight": beta,
        "anchor_step_size": 0.0,
    }
    for n in (4, 8)
    for beta in (0.0, 0.5, 1.0)
}
SAMPLES["iterated"] = {"best_of": 2, "anchor_period": 100}

ANCHORS = {
    "eta_0.02": {"anchor_step_size": 0.02},
    "eta_0.05": {"anchor_step_size": 0.05},
    "gamma_1": {"anchor_step_size": 0.02, "regularization": 1.0},
}


def _figure(
    agent_name: str,
    description: str,
    variants: dict[str, dict[str, float]],
    *,
    updates: int,
    rate: float,
) -> figure.Figure:
    steps = updates * BATCH
    task = TASKS["preferences"]._replace(
        description=f"{description}; the score is a golden reward",
        steps=steps,
        evaluation=Evaluation(period=steps // 20, episodes=512),
    )
    shared = {"optimizer.learning_rate": rate}
    runs = {
        variant: Variant(agent_name, shared | own, FIRST)
        for variant, own in variants.items()
    }
    return figure.make(f"{agent_name}/anchors", task, runs, seeds=3)


BOND = _figure("bond", "N and beta of BOND", SAMPLES, updates=600, rate=1e-4)
J_BOND = _figure("jbond", "anchors of J-BOND", ANCHORS, updates=1_500, rate=3e-5)

FIGURES = (BOND, J_BOND)
