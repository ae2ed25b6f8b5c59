"""Both sides of the comparison get the same files; ours can be measured."""

import json

import numpy as np
import pytest

from agents.parts.language import sequences
from experiments.benchmarks import gkd_against_trl
from launch.pretrained import safetensors

SMALL = gkd_against_trl.SETTINGS | {"batch": 3, "length": 5, "updates": 2, "skipped": 1}


@pytest.mark.slow
def test_prepared_files_are_measured(tmp_path):
    gkd_against_trl.prepare(tmp_path, SMALL)
    prompts = np.load(tmp_path / "prompts.npy")
    assert prompts.shape == (6, 32) and (prompts[:, 0] == sequences.BOS).all()
    lengths = np.asarray(sequences.prompt_length(prompts))
    assert lengths.min() >= 12 and len({*lengths}) > 1
    student, teacher = (safetensors.load(tmp_path / x) for x in ("student", "teacher"))
    assert student.config == teacher.config
    assert not np.array_equal(student.params["embed"], teacher.params["embed"])
    assert json.loads((tmp_path / "settings.json").read_text()) == SMALL

    found = gkd_against_trl.measure(tmp_path)
    assert 3 <= found["tokens"] <= 15
    assert all(value > 0 for value in found.values())


def test_an_unknown_command_prints_the_usage(capsys):
    assert gkd_against_trl.main(["distil", "somewhere"]) == 2
    assert "compare|measure DIR" in capsys.readouterr().err
