"""A teacher, a first student, and its distillation, from the command line."""

import csv

import pytest

SUMS = "--environment.digits 1 --evaluation.episodes 256 --seed 5"
SMALL = "--agent.network.width 32 --agent.network.layers 1"
TEACHER = "--agent.network.width 48"


def evaluations(directory):
    with (directory / "evaluations.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_on_policy_distillation_brings_a_student_near_its_teacher(command):
    """The student begins with a few sums right, and ends with most of them right."""
    lines = {
        "teacher": f"sft/arithmetic {TEACHER} --steps 19200",
        "student": f"sft/arithmetic {SMALL} --steps 4800",
        "distilled": (
            f"gkd/arithmetic {SMALL} {TEACHER.replace('network', 'teacher')} "
            "--agent.teacher.layers 2 --agent.optimizer.learning_rate 0.001 "
            "--initial.teacher teacher --initial.policy student --steps 12800"
        ),
    }
    last = {}
    for name, line in lines.items():
        steps = int(line.split()[-1])
        flags = f"{SUMS} --evaluation.period {steps // 2} --run_directory {name}"
        command.munchausen(f"train {line} {flags}")
        code, _, err = command.wait(300)
        assert code == 0, err
        last[name] = evaluations(command.directory / name)[-1]
    first = evaluations(command.directory / "distilled")[0]
    returns = {name: float(row["mean_return"]) for name, row in last.items()}
    assert returns["distilled"] > returns["student"] + 0.1
    assert float(last["distilled"]["reverse_kl"]) < float(first["reverse_kl"])
