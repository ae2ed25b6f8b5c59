"""The two interfaces of users' environments, asked for the same things."""

import dm_env
import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from environments.own_sources import Broken, OfDmEnv, OfGymnasium


class Counted(gymnasium.Env):
    """Keeps the seeds of its resets; action 1 terminates, action 2 truncates."""

    observation_space = spaces.Box(0, 9, (1,), np.float32)
    action_space = spaces.Discrete(3)

    def __init__(self, render_mode=None):
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": 7}
        self.render_mode, self.seeds = render_mode, []

    def reset(self, *, seed=None, options=None):
        self.seeds.append(seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        seen = np.full(1, action, np.float32)
        return seen, 2, action == 1, action == 2, {}


def test_only_the_first_reset_of_gymnasium_has_a_seed():
    environment = Counted()
    source = OfGymnasium(environment, 5)
    for _ in range(3):
        source.reset()
    assert environment.seeds == [5, None, None]


@pytest.mark.parametrize(
    "action, discount, last", [(0, 1.0, False), (1, 0.0, True), (2, 1.0, True)]
)
def test_only_a_termination_ends_the_discount(action, discount, last):
    step = OfGymnasium(Counted(), 0).step(action)
    assert (step.reward, step.discount, step.last) == (2, discount, last)


def test_four_values_that_a_wrapper_unpacks_are_those_of_the_retired_gym():
    class Old(Counted):
        def step(self, action):
            return super().step(action)[:4]

    wrapped = gymnasium.wrappers.RecordEpisodeStatistics(Old())
    wrapped.reset()
    with pytest.raises(Broken, match="the retired gym returned 4 values"):
        OfGymnasium(wrapped, 0).step(0)


@pytest.mark.parametrize("value", [(1, 2, 3), [0, 1.0, False, False, {}], None])
def test_a_step_must_return_five_values(value):
    class Wrong(Counted):
        def step(self, action):
            return value

    with pytest.raises(Broken, match="; got "):
        OfGymnasium(Wrong(), 0).step(0)


@pytest.mark.parametrize("mode, renders", [(None, False), ("rgb_array", True)])
def test_gymnasium_renders_in_the_mode_for_pictures_only(mode, renders):
    source = OfGymnasium(Counted(mode), 0)
    assert source.renders() == renders and source.frames_per_second() == 7.0


class Bare(dm_env.Environment):
    """Has nothing that is not needed."""

    def reset(self):
        return dm_env.restart(np.zeros(2))

    def step(self, action):
        return dm_env.termination(3.0, np.ones(2))

    def observation_spec(self):
        return dm_env.specs.Array((2,), np.float64)

    def action_spec(self):
        return dm_env.specs.DiscreteArray(2)


def test_a_bare_dm_env_steps_but_does_not_render():
    source = OfDmEnv(Bare(), 0)
    np.testing.assert_array_equal(source.reset(), [0, 0])
    step = source.step(1)
    assert (step.reward, step.discount, step.last) == (3.0, 0.0, True)
    assert not source.renders() and source.frames_per_second() == 30.0


def test_physics_of_dm_control_are_rendered_at_the_pace_of_its_control():
    class Physics:
        def render(self, height, width, camera_id):
            return np.full((height, width, 3), camera_id, np.uint8)

    environment = Bare()
    environment.physics = Physics()
    environment.control_timestep = lambda: 0.04
    source = OfDmEnv(environment, 0)
    assert source.renders() and source.render().shape == (480, 480, 3)
    assert source.frames_per_second() == pytest.approx(25.0)
