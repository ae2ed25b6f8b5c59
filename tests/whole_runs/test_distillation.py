"""A teacher, a first student, and its distillation, from the command line."""

import csv
import json

import pytest

SUMS = "--environment.digits 1 --evaluation.episodes 256 --seed 5"
SMALL = "--agent.network.width 32 --agent.network.layers 1"
TEACHER = "--agent.network.width 48"


def last_return(directory):
    with (directory / "evaluations.csv").open() as file:
        return float(list(csv.DictReader(file))[-1]["mean_return"])


def metric(directory, name):
    """A metric's values, in order."""
    rows = map(json.loads, (directory / "metrics.jsonl").read_text().splitlines())
    return [row[name] for row in rows if name in row]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_on_policy_distillation_brings_a_student_near_its_teacher(command):
    """The student begins with a few sums right, and ends with more of them."""
    lines = {
        "teacher": f"sft/arithmetic {TEACHER} --steps 19200",
        "student": f"sft/arithmetic {SMALL} --steps 4800",
        "distilled": (
            f"gkd/arithmetic {SMALL} {TEACHER.replace('network', 'teacher')} "
            "--agent.teacher.layers 2 --agent.optimizer.learning_rate 0.001 "
            "--initial.teacher teacher --initial.policy student --steps 12800"
        ),
    }
    for name, line in lines.items():
        steps = int(line.split()[-1])
        flags = f"{SUMS} --evaluation.period {steps // 2} --run_directory {name}"
        command.munchausen(f"train {line} {flags}")
        code, _, err = command.wait(400)
        assert code == 0, err
    student, distilled = command.directory / "student", command.directory / "distilled"
    assert last_return(distilled) > last_return(student) + 0.1
    # On its newest completions of training prompts, and on held-out prompts.
    divergences = metric(distilled, "divergence")
    assert divergences[-1] < 0.1 * divergences[0]
    distances = metric(distilled, "reverse_kl")
    assert distances[-1] < distances[0]
