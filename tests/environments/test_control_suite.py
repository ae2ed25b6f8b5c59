"""The control suite's tasks."""

from importlib import util

import numpy as np
import pytest

import environments
from environments import control_suite
from tests.environments.dm_control_installed import needs_dm_control


@needs_dm_control
def test_the_suites_time_limit_is_a_truncation():
    environment = environments.make_single(environments.ControlSuite("cheetah-run"), 0)
    environment.reset()
    timesteps = [environment.step(np.zeros(6, np.float32)) for _ in range(1_001)]
    assert timesteps[999].last() and timesteps[999].discount == 1.0
    assert timesteps[1_000].first()
    assert all(0 <= timestep.reward <= 1 for timestep in timesteps[:1_000])


@needs_dm_control
def test_the_suites_tasks_are_all_named():
    from dm_control import suite

    all_tasks = {f"{domain}-{task}" for domain, task in suite.ALL_TASKS}
    left_out = {"lqr-lqr_2_1", "lqr-lqr_6_2"}
    assert set(control_suite.NAMES) == all_tasks - left_out


def test_without_the_suite_its_tasks_are_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    control_suite._suite.cache_clear()
    with pytest.raises(ValueError, match="need the package dm-control, which exists"):
        environments.make_single(environments.ControlSuite("cheetah-run"), 0)
