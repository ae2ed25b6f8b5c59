"""Every environment, alone, against dm_env's own test of its protocol."""

import unittest

import dm_env
import gymnasium
import numpy as np
from dm_env import test_utils

import environments
from environments import catch
from environments.gymnasium_adapter import Gym
from tests.environments.dm_control_installed import needs_dm_control


class Conformance(test_utils.EnvironmentTestMixin):
    """Random actions, enough of them to end an episode."""

    config: environments.Config
    steps: int

    def make_object_under_test(self):
        return environments.make_single(self.config, seed=3)

    def make_action_sequence(self):
        spec = self.environment.action_spec()
        generator = np.random.default_rng(5)
        for _ in range(self.steps):
            if isinstance(spec, dm_env.specs.DiscreteArray):
                yield generator.integers(spec.num_values, dtype=np.int32)
            else:
                yield generator.uniform(-1, 1, spec.shape).astype(np.float32)


class TestCatch(Conformance, unittest.TestCase):
    config, steps = environments.Catch(), 25


class TestOddCatch(Conformance, unittest.TestCase):
    config, steps = environments.Catch(rows=2, columns=3), 7


class TestCartPole(Conformance, unittest.TestCase):
    config, steps = environments.Classic("CartPole-v1"), 60


class TestAcrobot(Conformance, unittest.TestCase):
    config, steps = environments.Classic("Acrobot-v1"), 510


class TestMountainCar(Conformance, unittest.TestCase):
    config, steps = environments.Classic("MountainCar-v0"), 210


class TestLunarLander(Conformance, unittest.TestCase):
    config, steps = environments.Classic("LunarLander-v3"), 150


class TestAsterix(Conformance, unittest.TestCase):
    config, steps = environments.MinAtar("asterix"), 150


class TestBreakout(Conformance, unittest.TestCase):
    config, steps = environments.MinAtar("breakout"), 60


class TestFreeway(Conformance, unittest.TestCase):
    config, steps = environments.MinAtar("freeway"), 2_510


class TestSeaquest(Conformance, unittest.TestCase):
    config, steps = environments.MinAtar("seaquest", minimal_actions=True), 250


class TestSpaceInvaders(Conformance, unittest.TestCase):
    config, steps = environments.MinAtar("space_invaders", episode_steps=70), 80


class TestMaze(Conformance, unittest.TestCase):
    config, steps = environments.Maze(episode_steps=60), 70


class TestDopamine(Conformance, unittest.TestCase):
    config, steps = environments.Atari("breakout", "dopamine"), 250


class TestNature(Conformance, unittest.TestCase):
    config, steps = environments.Atari("breakout", "nature"), 250


class TestHopper(Conformance, unittest.TestCase):
    config, steps = environments.Locomotion("Hopper-v5"), 60


class TestReacher(Conformance, unittest.TestCase):
    config, steps = environments.Locomotion("Reacher-v5"), 60


@needs_dm_control
class TestControlSuite(Conformance, unittest.TestCase):
    config, steps = environments.ControlSuite("cheetah-run"), 1_010


class TestPen(Conformance, unittest.TestCase):
    config, steps = environments.Adroit("pen"), 150


class TestDoor(Conformance, unittest.TestCase):
    config, steps = environments.Adroit("door"), 210


class TestGame(Conformance, unittest.TestCase):
    """The single game itself, which carries dm_env's Python floats."""

    steps = 25

    def make_object_under_test(self):
        return catch.Game(environments.Catch(), seed=3)


class TestGym(test_utils.EnvironmentTestMixin, unittest.TestCase):
    """The adapter itself, with continuous actions and a truncation."""

    def make_object_under_test(self):
        return Gym(gymnasium.make("Pendulum-v1", max_episode_steps=11), seed=3)

    def test_truncation_carries_discount_one(self):
        action = np.array([0.75], np.float32)
        timesteps = [self.environment.step(action) for _ in range(13)]
        assert [t.step_type for t in timesteps[-3:]] == [
            dm_env.StepType.MID,
            dm_env.StepType.LAST,
            dm_env.StepType.FIRST,
        ]
        assert timesteps[11].discount == 1.0
        assert timesteps[11].reward < 0.0
