"""Every agent still computes the numbers that it computed when they were written."""

import json

import numpy as np
import pytest

from agents import REGISTRY
from tests.agents import golden_values

GOLDEN = json.loads(golden_values.FILE.read_text())


def test_every_stage_of_every_agent_has_golden_values():
    stages = {stage for name in REGISTRY for stage in golden_values.stages(name)}
    assert GOLDEN.keys() == stages


def assert_close(found, wanted, path):
    """Compares two nests of dictionaries, lists and numbers, float32 apart."""
    if isinstance(wanted, dict):
        assert sorted(found) == sorted(wanted), path
        for name in wanted:
            assert_close(found[name], wanted[name], f"{path} {name}")
    elif wanted and isinstance(wanted, list) and isinstance(wanted[0], dict):
        assert len(found) == len(wanted), path
        for index, pair in enumerate(zip(found, wanted, strict=True)):
            assert_close(*pair, f"{path} {index}")
    else:
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-6, err_msg=path)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_agent_computes_its_golden_values(name):
    assert_close(golden_values.computed(name), GOLDEN[name], name)
