"""Inverse RL of language against maximum likelihood, with and without an entropy bonus.

Wulfmeier et al., "Imitating Language via Scalable Inverse Reinforcement Learning",
NeurIPS 2024, https://arxiv.org/abs/2409.01369. Claims, from its figures' captions:

- `inverse_rl/weights`, on summaries of facts: IQLearn has an equal or better score and
  more diverse completions; an entropy bonus costs much score.
- `inverse_rl/data`, on sums: with few prompts maximum likelihood over-fits; the
  temporal-difference term mitigates that, an entropy bonus does not.

`td_0.1` and `online_0.1` have the same weight of that term; online, completions of the
policy have a share of 0.1 in it.

Deviations:
- Decoders of about 100,000 parameters that begin with random weights, instead of T5 and
  PaLM 2 after pre-training; our tasks instead of XSum, GSM8k, TLDR and WMT22.
- The weights of the terms are ours: we have not seen the paper's. So is gamma = 1.
- The policy's share is the paper's as second-hand sources have it.
- Completions are sampled at temperature 1 in `weights`, and greedy in `data`.
"""

from experiments.catalogue import figure
from experiments.catalogue.figure import Variant
from experiments.catalogue.tasks import TASKS, Task

SAMPLED = {"evaluation_temperature": 1.0}
TERMS = {
    "likelihood": {"td_weight": 0.0},
    "td_0.01": {"td_weight": 0.01},
    "td_0.1": {"td_weight": 0.1},
    "td_1": {"td_weight": 1.0},
    "online_0.1": {"td_weight": 0.1, "policy_share": 0.1},
    "entropy_0.01": {"td_weight": 0.0, "entropy_weight": 0.01},
    "entropy_0.1": {"td_weight": 0.0, "entropy_weight": 0.1},
}
WITH_DATA = ("likelihood", "td_0.1", "online_0.1", "entropy_0.1")
PROMPTS = {"few": 500, "all": 5_000}


def _sums(prompts: int) -> Task:
    task = TASKS["arithmetic"]
    environment = task.environment
    settings = {**environment.settings, "prompts": prompts}
    return task._replace(
        description=f"sums, learned from {prompts:,} of them; at best 1",
        environment=environment._replace(settings=settings),
    )


FIGURES = (
    figure.make(
        "inverse_rl/weights",
        TASKS["facts"]._replace(description="terms of the loss on facts; at best 1"),
        {
            name: Variant("inverse_rl", settings | SAMPLED)
            for name, settings in TERMS.items()
        },
        seeds=3,
    ),
    figure.make(
        "inverse_rl/data",
        _sums(PROMPTS["all"]),
        {
            f"{name}-{amount}": Variant(
                "inverse_rl", TERMS[name], task=_sums(PROMPTS[amount])
            )
            for amount in PROMPTS
            for name in WITH_DATA
        },
        seeds=3,
    ),
)
