"""Environments with continuous actions: bounds, episode ends and names."""

import subprocess
import sys

import numpy as np
import pytest
from dm_env import StepType

import environments
from tests.environments.dm_control_installed import needs_dm_control

CONFIGS = [
    environments.Locomotion("HalfCheetah-v5"),
    environments.Locomotion("Humanoid-v5"),
    pytest.param(environments.ControlSuite("walker-walk"), marks=needs_dm_control),
    environments.Adroit("hammer"),
]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_lanes_are_float32_with_actions_in_minus_one_to_one(config):
    environment = environments.make(config, 3, seed=0)
    spec = environment.action_spec()
    assert (spec.minimum == -1).all() and (spec.maximum == 1).all()
    first = environment.reset()
    timestep = environment.step(np.zeros((3, *spec.shape), np.float32))
    for leaf in (first.observation, timestep.observation, timestep.reward):
        assert leaf.dtype == np.float32 and len(leaf) == 3
    assert not np.array_equal(first.observation[0], first.observation[1])
    environment.close()


def test_the_time_limit_is_a_truncation():
    environment = environments.make(environments.Locomotion("Reacher-v5"), 2, seed=0)
    environment.reset()
    for step in range(1, 51):
        timestep = environment.step(np.zeros((2, 2), np.float32))
        expected = StepType.LAST if step == 50 else StepType.MID
        assert (timestep.step_type == expected).all()
        assert (timestep.discount == 1.0).all()


def test_a_fall_is_a_termination():
    environment = environments.make_single(environments.Locomotion("Hopper-v5"), 0)
    timestep = environment.reset()
    while not timestep.last():
        timestep = environment.step(np.ones(3, np.float32))
    assert timestep.discount == 0.0
    assert environment.step(np.ones(3, np.float32)).first()


@pytest.mark.parametrize(
    ("name", "published", "tolerance"),
    # D4RL's returns of random actions, which `d4rl/infos.py` normalises scores with.
    [("door", -56.5, 5.0), ("hammer", -274.9, 30.0), ("relocate", -6.4, 3.0)],
)
def test_random_actions_earn_what_they_do_in_d4rl(name, published, tolerance):
    environment = environments.make_single(environments.Adroit(name), seed=1)
    generator = np.random.default_rng(0)
    shape, returns = environment.action_spec().shape, []
    for _ in range(3):
        total, timestep = 0.0, environment.reset()
        while not timestep.last():
            action = generator.uniform(-1, 1, shape).astype(np.float32)
            timestep = environment.step(action)
            total += timestep.reward
        assert timestep.discount == 1.0
        returns.append(total)
    assert np.mean(returns) == pytest.approx(published, abs=tolerance)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: environments.Locomotion("hopper"), "nearest: 'Hopper-v5'"),
        (lambda: environments.ControlSuite("cheetah_run"), "nearest: 'cheetah-run'"),
        (lambda: environments.Adroit("pens"), "nearest: 'pen'"),
    ],
)
def test_unknown_names_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# A machine without graphics libraries, as far as a process can tell.
BLIND = """
import ctypes, ctypes.util, os
load = ctypes.CDLL.__init__

def refuse(self, name, *args, **kwargs):
    if any(library in str(name) for library in ("EGL", "GL.so", "OSMesa")):
        raise OSError(f"{name} is missing")
    load(self, name, *args, **kwargs)

ctypes.CDLL.__init__ = refuse
ctypes.util.find_library = lambda name: None
os.environ.pop("MUJOCO_GL", None)

import environments
for config in (
    environments.ControlSuite(),
    environments.Locomotion(),
    environments.Adroit(),
):
    environment = environments.make(config, 1, seed=0)
    assert environment.reset().observation.shape[0] == 1
try:
    environments.make_rendered(environments.ControlSuite(), 0)
except ValueError as error:
    print(error)
"""


@needs_dm_control
def test_a_machine_that_cannot_draw_can_simulate():
    result = subprocess.run(
        [sys.executable, "-c", BLIND], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("drawing MuJoCo with egl needs")
