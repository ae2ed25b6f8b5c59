"""Environments with continuous actions: canonical bounds, ends, and their names."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from dm_env import StepType

import environments
from environments import adroit, control_suite
from environments.action_scaling import Canonical
from environments.gymnasium_adapter import Gym

CONFIGS = [
    environments.Locomotion("HalfCheetah-v5"),
    environments.Locomotion("Humanoid-v5"),
    environments.ControlSuite("walker-walk"),
    environments.Adroit("hammer"),
]


def test_the_ends_of_the_box_are_reached():
    canonical = Canonical(np.array([-2.0, 0.0]), np.array([4.0, 1.0]))
    for action, native in [
        ([-1, -1], [-2, 0]),
        ([0, 0], [1, 0.5]),
        ([1, -0.5], [4, 0.25]),
    ]:
        result = canonical.native(np.array(action, np.float32))
        np.testing.assert_array_equal(result, np.array(native, np.float32))
    assert canonical.spec().shape == (2,) and canonical.spec().dtype == np.float32


def test_actions_of_the_same_box_are_not_rounded():
    action = np.float32([0.1, -0.30000001, 1.0])
    canonical = Canonical(-np.ones(3), np.ones(3))
    np.testing.assert_array_equal(canonical.native(action), action)


def test_an_action_outside_is_refused():
    canonical = Canonical(-np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match=r"action .*1\.25.*: from -1 to 1"):
        canonical.native(np.float32([0.0, 1.25]))


@pytest.mark.parametrize("bounds", [(-np.inf, 1.0), (1.0, 1.0)])
def test_a_box_without_bounds_is_refused(bounds):
    low, high = (np.array([bound]) for bound in bounds)
    with pytest.raises(ValueError, match="the bounds must be finite"):
        Canonical(low, high)


def test_an_environment_gets_its_own_actions():
    """Humanoid's actions end at 0.4: the plain environment with them is the same."""
    plain = gymnasium.make("Humanoid-v5", disable_env_checker=True)
    plain.reset(seed=7)
    canonical = Gym(gymnasium.make("Humanoid-v5", disable_env_checker=True), seed=7)
    canonical.reset()
    for action in np.random.default_rng(0).uniform(-1, 1, (5, 17)).astype(np.float32):
        observation, reward, *_ = plain.step(np.float32(0.4) * action)
        timestep = canonical.step(action)
        np.testing.assert_allclose(timestep.observation, observation, rtol=1e-5)
        assert timestep.reward == pytest.approx(reward, rel=1e-6)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_lanes_are_single_precision_and_canonical(config):
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


def test_the_suite_is_cut_short_not_ended():
    environment = environments.make_single(environments.ControlSuite("cheetah-run"), 0)
    environment.reset()
    timesteps = [environment.step(np.zeros(6, np.float32)) for _ in range(1_001)]
    assert timesteps[999].last() and timesteps[999].discount == 1.0
    assert timesteps[1_000].first()
    assert all(0 <= timestep.reward <= 1 for timestep in timesteps[:1_000])


def test_the_tasks_are_the_suites():
    from dm_control import suite

    all_tasks = {f"{domain}-{task}" for domain, task in suite.ALL_TASKS}
    left_out = {"lqr-lqr_2_1", "lqr-lqr_6_2"}
    assert set(control_suite.NAMES) == all_tasks - left_out


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
    ("name", "palm", "thing"),
    [
        ("door", "S_grasp", "S_handle"),
        ("hammer", "S_grasp", "Object"),
        ("relocate", "S_grasp", "Object"),
    ],
)
def test_the_distance_that_is_taken_is_the_simulators(name, palm, thing):
    single = adroit.make_one(environments.Adroit(name), seed=0)
    single.reset()
    timestep = single.step(np.full(single.action_spec().shape, 0.3, np.float32))
    data = single._environment.unwrapped.data
    place = data.body(thing).xpos if thing == "Object" else data.site(thing).xpos
    distance = np.linalg.norm(data.site(palm).xpos - place)
    revise = getattr(adroit, f"revise_{name}")
    revised, terminated = revise(timestep.observation, 10.0, False)
    assert revised == pytest.approx(10.0 - 0.2 * distance, rel=1e-5)
    assert not terminated


def test_a_dropped_pen_ends_the_episode():
    environment = environments.make_single(environments.Adroit("pen"), seed=0)
    generator = np.random.default_rng(0)
    timestep = environment.reset()
    while not timestep.last():
        action = generator.uniform(-1, 1, 24).astype(np.float32)
        timestep = environment.step(action)
    assert timestep.discount == 0.0 and timestep.observation[26] < 0.075


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: environments.Locomotion("hopper"), "nearest: 'Hopper-v5'"),
        (lambda: environments.ControlSuite("cheetah_run"), "mean 'cheetah-run'"),
        (lambda: environments.Adroit("pens"), "nearest: 'pen'"),
    ],
)
def test_unknown_names(make, message):
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


def test_a_machine_that_cannot_draw_can_simulate():
    result = subprocess.run(
        [sys.executable, "-c", BLIND], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("drawing MuJoCo with egl needs")
