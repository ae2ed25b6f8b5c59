"""Teacher hacking: a student comes nearer to its teacher and farther from the truth.

Tiapkin et al., "On Teacher Hacking in Language Model Distillation", ICML 2025,
https://arxiv.org/abs/2502.02671. The oracle is the truth; teacher and student are first
fitted to its samples, and the teacher is then distilled into the student. The proxy is
the distance from teacher to student, the golden distance that from oracle to student,
both on prompts that were never trained on. Teacher hacking: the proxy falls and the
golden distance rises.

`teacher_hacking/markov` compares the sources of completions: `offline`, one fixed
completion of the teacher for each prompt, over and over; `online_teacher`, a new one
each time; `online_student`. `half_prompts` and `fifth_prompts` are offline with fewer
prompts and as many updates. The paper's claims: only offline the golden distance is
U-shaped, more so with fewer prompts; online, it is a power law of the proxy.

The oracle is a Markov chain whose conditional probabilities are known, so that the
golden distance is a mean over its samples y of log p_oracle(y) - log p_student(y)
(`experiments.tables.distances`).

Deviations:
- A Markov chain instead of Flan-T5-XL on XSum, and decoders with 2 or 3 layers instead
  of T5; 16,000 samples of the oracle instead of 100,000, 100 prompts for distillation
  instead of 200,000, and 600 passes over them.
- Adam with a constant rate of 0.0003, the paper's best rate, which has warm-up.
- Passes, sizes and rates were not tuned.
- The distance is the KL of whole completions, estimated on 1,024 prompts; the paper's
  estimator is not known to us.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.catalogue import figure
from experiments.catalogue.figure import Variant
from experiments.catalogue.tasks import TASKS, Task
from launch.experiment import Evaluation

NAME = "teacher_hacking/markov"
BATCH = 32
EPISODES = 1_024  # of an evaluation
# Prompts with a sample of the oracle each. With 2,000 the teacher learns them by heart.
FITTED = 16_000
# The chain has 1,024 contexts. These completions show each of them about three times;
# 2,000 show each so often that offline and online distillation do not differ.
PROMPTS, PASSES = 100, 600
RATE = {"optimizer.learning_rate": 3e-4}
STUDENT = {"network.layers": 2, "network.width": 48}
TEACHER = {"network.layers": 3, "network.width": 64}


def task(prompts: int, passes: int) -> Task:
    """Passes over some prompts of the chain; 20 evaluations."""
    base = TASKS["markov"]
    steps = prompts * passes // BATCH * BATCH
    return base._replace(
        description="distances of a student to its teacher and to the truth",
        environment=base.environment._replace(
            settings={"prompts": prompts, "prompt_columns": 4}
        ),
        steps=steps,
        evaluation=Evaluation(period=steps // 20, episodes=EPISODES),
    )


def source(name: str, prompts: int = PROMPTS) -> Variant:
    """A distillation from a source of completions."""
    settings: dict[str, Any] = {**STUDENT, **RATE}
    for field, value in TEACHER.items():
        settings[field.replace("network", "teacher")] = value
    if name != "policy":
        settings |= {"on_policy": 0.0, "source": name}
    return Variant(
        "gkd",
        settings,
        {"teacher": f"{NAME}_teacher", "policy": f"{NAME}_student"},
        task(prompts, PASSES * PROMPTS // prompts),
    )


FIGURES = (
    figure.make(
        NAME,
        task(PROMPTS, PASSES),
        {
            "teacher": Variant("sft", TEACHER, task=task(FITTED, 8)),
            "student": Variant("sft", STUDENT, task=task(FITTED, 2)),
            "offline": source("fixed_teacher"),
            "online_teacher": source("teacher"),
            "online_student": source("policy"),
            "half_prompts": source("fixed_teacher", PROMPTS // 2),
            "fifth_prompts": source("fixed_teacher", PROMPTS // 5),
        },
        seeds=5,
    ),
)


class Diagnosis(NamedTuple):
    """How the golden distance of a run moves while its proxy falls.

    Attributes:
        rise: of the golden distance from its minimum to the end, in nats.
        proxy_change: of the proxy over the same evaluations; below 0, it has fallen.
        slope: of log golden against log proxy.
        residual: root mean square of log golden around that line: about 0 for a power
            law.
        hacked: whether the golden distance has risen although the proxy has not.
    """

    rise: float
    proxy_change: float
    slope: float
    residual: float
    hacked: bool


def diagnose(
    proxy: Sequence[float], golden: Sequence[float], noise: float = 0.0
) -> Diagnosis:
    """Looks for teacher hacking in the distances of a run or a mean over runs.

    Args:
        proxy: at each evaluation, in order, above 0.
        golden: at the same evaluations, above 0.
        noise: a rise that is not larger is none.

    Raises:
        ValueError: the distances are not two series of equal length above 0.
    """
    x, y = np.asarray(proxy, float), np.asarray(golden, float)
    if x.shape != y.shape or x.size < 2 or not (np.minimum(x, y) > 0).all():
        raise ValueError("proxy and golden must be two equally long series above 0")
    lowest = int(y.argmin())
    rise, change = float(y[-1] - y[lowest]), float(x[-1] - x[lowest])
    slope, offset = np.polyfit(np.log(x), np.log(y), 1)
    residual = np.log(y) - slope * np.log(x) - offset
    return Diagnosis(
        rise,
        change,
        float(slope),
        math.sqrt(float(np.mean(residual**2))),
        bool(rise > noise and change <= 0),
    )
