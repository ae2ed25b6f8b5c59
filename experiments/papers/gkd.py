"""Distillation on the student's own completions, on small tasks.

Agarwal et al., "On-Policy Distillation of Language Models: Learning from Self-Generated
Mistakes", ICLR 2024, https://arxiv.org/abs/2306.13649.

- `gkd/sizes`: students of three sizes, and what they learn from: references (`sft`),
  the teacher's completions (`seq_kd`), the teacher's distribution on references
  (`supervised_kd`), on their own completions (`on_policy`), or on both (`mixed`). The
  paper's claim, as notes on it have it: on-policy gains most over the first student,
  1.7 to 2.1 times as much as supervised distillation.
- `gkd/data`: on-policy distillation with 5 % of the prompts against supervised
  distillation with all. The paper's claim: the first is not worse.
- `gkd/divergences`: five divergences, sampled at temperature 1 or greedily. The paper's
  claim: at temperature 1 reverse KL and JSD(0.9) have the best quality and the least
  diversity; of greedy completions the divergence hardly matters.

Each variant but the teacher and the first students begins with their weights, which are
trained first, one of each for each seed. All later variants take 2,000 updates.

Deviations:
- Sums of two numbers, with the carries written out, and summaries of facts instead of
  XSum, WMT and GSM8K; decoders of 17,000 to 70,000 parameters and a teacher of a
  million instead of T5 of 77 million to three billion. Without carries a student stays
  at a tenth of the sums for thousands of updates, whatever it learns from, because it
  does not find the second digit; that plateau would hide all differences.
- Adam with a constant rate of 0.001 in all later variants; the paper has 0.0003 with
  warm-up and decay.
- The teacher's temperature is 1; the paper has 0.1 for summaries and arithmetic.
- The paper's loss is the mean over each completion first; SFT's is over all tokens.
"""

from typing import Any

from experiments.catalogue import figure
from experiments.catalogue.experiments import TEACHER
from experiments.catalogue.figure import Variant
from experiments.catalogue.tasks import TASKS, Task
from launch.experiment import Evaluation

SIZES: dict[str, dict[str, Any]] = {
    "2x24": {"network.layers": 2, "network.width": 24},
    "2x32": {"network.layers": 2, "network.width": 32},
    "2x48": {"network.layers": 2, "network.width": 48},
}
RATE = {"optimizer.learning_rate": 1e-3}
UPDATES, BATCH = 2_000, 32
CARRIES = {"scratch_pad": True}

# What a student learns from: agent and settings.
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "sft": ("sft", RATE),
    "seq_kd": ("seq_kd", RATE),
    "supervised_kd": ("supervised_kd", RATE),
    "mixed": ("gkd", {"on_policy": 0.5, **RATE}),
    "on_policy": ("gkd", RATE),
}

DIVERGENCES: dict[str, dict[str, Any]] = {
    "forward_kl": {"divergence": "forward_kl"},
    "reverse_kl": {"divergence": "reverse_kl"},
    "jsd_0.1": {"divergence": "jsd", "beta": 0.1},
    "jsd_0.5": {"divergence": "jsd", "beta": 0.5},
    "jsd_0.9": {"divergence": "jsd", "beta": 0.9},
}


def task(name: str, description: str, **environment: Any) -> Task:
    """A language task for 2,000 updates; `environment` replaces its settings."""
    base = TASKS[name]
    steps = UPDATES * BATCH
    return base._replace(
        description=description,
        environment=base.environment._replace(settings=environment),
        steps=steps,
        evaluation=Evaluation(period=steps // 10, episodes=512),
    )


def begun(
    name: str, agent_name: str, settings: dict[str, Any], student: str, **changes: Any
) -> Variant:
    """A variant that begins with a student, and has the teacher of its figure."""
    initial = {"policy": f"{name}_student-{student}"}
    if agent_name != "sft":
        initial["teacher"] = f"{name}_teacher"
    return Variant(agent_name, {**SIZES[student], **settings}, initial, **changes)


SUMS = task(
    "arithmetic", "sums with 3 digits, learned from a teacher; at best 1", **CARRIES
)
# A third of the updates of a teacher: students of which the largest is nearly as good.
FIRST = SUMS._replace(steps=1_400 * BATCH)
TAUGHT = SUMS._replace(steps=4_000 * BATCH)

SIZES_FIGURE = figure.make(
    "gkd/sizes",
    SUMS,
    {
        "teacher": Variant("sft", TEACHER, task=TAUGHT),
        **{
            f"student-{size}": Variant("sft", settings, task=FIRST)
            for size, settings in SIZES.items()
        },
        **{
            f"{method}-{size}": begun("gkd/sizes", agent_name, settings, size)
            for size in SIZES
            for method, (agent_name, settings) in METHODS.items()
        },
    },
    seeds=5,
)

ALL, FEW = 10_000, 500
DATA = task(
    "arithmetic",
    "on-policy distillation with few prompts; at best 1",
    prompts=ALL,
    **CARRIES,
)
FEW_PROMPTS = task("arithmetic", DATA.description, prompts=FEW, **CARRIES)

DATA_FIGURE = figure.make(
    "gkd/data",
    DATA,
    {
        "teacher": Variant("sft", TEACHER, task=DATA._replace(steps=TAUGHT.steps)),
        "student-2x32": Variant(
            "sft", SIZES["2x32"], task=DATA._replace(steps=FIRST.steps)
        ),
        "supervised_kd-all": begun("gkd/data", "supervised_kd", RATE, "2x32"),
        "on_policy-all": begun("gkd/data", "gkd", RATE, "2x32"),
        "on_policy-few": begun("gkd/data", "gkd", RATE, "2x32", task=FEW_PROMPTS),
        "supervised_kd-few": begun(
            "gkd/data", "supervised_kd", RATE, "2x32", task=FEW_PROMPTS
        ),
    },
    seeds=5,
)

FACTS = task("facts", "summaries of facts under five divergences; at best 1")

DIVERGENCES_FIGURE = figure.make(
    "gkd/divergences",
    FACTS,
    {
        "teacher": Variant("sft", TEACHER, task=FACTS._replace(steps=TAUGHT.steps)),
        "student-2x48": Variant(
            "sft", SIZES["2x48"], task=FACTS._replace(steps=FIRST.steps)
        ),
        **{
            f"{name}-{decoding}": begun(
                "gkd/divergences",
                "gkd",
                {**settings, **RATE, "evaluation_temperature": temperature},
                "2x48",
            )
            for name, settings in DIVERGENCES.items()
            for decoding, temperature in (("sampled", 1.0), ("greedy", 0.0))
        },
    },
    seeds=3,
)

FIGURES = (SIZES_FIGURE, DATA_FIGURE, DIVERGENCES_FIGURE)
