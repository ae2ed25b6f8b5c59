"""Rendered environments show the environment that the agent acts in."""

import numpy as np
import pytest
from dm_env import specs

import environments
from environments import mujoco_library, render
from tests.environments.dm_control_installed import needs_dm_control

# A library of the operating system, which the lock cannot bring.
needs_egl = pytest.mark.skipif(
    mujoco_library.find_library("EGL") is None,
    reason="MuJoCo draws through EGL: libegl1",
)
CONFIGS = [
    environments.Atari("pong"),
    environments.Atari("breakout", "nature"),
    environments.MinAtar("seaquest"),
    environments.Maze(size=7, pitfalls=2),
    environments.Classic("CartPole-v1"),
    environments.Catch(rows=7, columns=3),
    *[
        pytest.param(config, marks=[pytest.mark.slow, needs_egl])
        for config in (
            environments.Locomotion("Hopper-v5"),
            environments.Adroit("pen"),
        )
    ],
    pytest.param(
        environments.ControlSuite("walker-walk"),
        marks=[pytest.mark.slow, needs_egl, needs_dm_control],
    ),
]


def actions(environment, steps, seed=0):
    spec, generator = environment.action_spec(), np.random.default_rng(seed)
    if isinstance(spec, specs.DiscreteArray):
        return generator.integers(spec.num_values, size=(steps, 1))
    return generator.uniform(-1, 1, (steps, 1, *spec.shape)).astype(np.float32)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_rendered_environment_behaves_like_a_plain_one(config):
    plain = environments.make(config, 1, seed=3, evaluation=True)
    rendered = environments.make_rendered(config, seed=3)
    watched = rendered.environment
    assert watched.num_environments == 1
    assert watched.action_repeat == plain.action_repeat
    assert watched.frame_stack == plain.frame_stack
    assert watched.observation_spec() == plain.observation_spec()
    pairs = [(plain.reset(), watched.reset())]
    shapes = {rendered.render().shape}
    for step, action in enumerate(actions(plain, 30)):
        pairs.append((plain.step(action), watched.step(action)))
        if step % 10 == 9:  # MuJoCo draws slowly without a GPU
            shapes.add(rendered.render().shape)
    for expected, timestep in pairs:
        for one, other in zip(expected, timestep, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(shapes) == 1 and shapes.pop()[-1] == 3
    plain.close()
    watched.close()


@pytest.mark.parametrize("protocol", ["dopamine", "nature"])
def test_the_screen_of_atari_shows_the_played_game(protocol):
    rendered = environments.make_rendered(environments.Atari("pong", protocol), 5)
    assert rendered.frames_per_second == 15
    environment = rendered.environment
    environment.reset()
    for action in actions(environment, 40):
        observation = environment.step(action).observation[0, -1].astype(float)
        screen = rendered.render()
        assert screen.shape == (210, 160, 3) and screen.dtype == np.uint8
        # Brightness of the halves, in the weights of the eye: where paddles and ball
        # are differs by far less than the players' colours do.
        grey = screen @ np.array([0.299, 0.587, 0.114])
        assert grey[:, :80].mean() == pytest.approx(observation[:, :42].mean(), abs=1)
        assert grey[:, 80:].mean() == pytest.approx(observation[:, 42:].mean(), abs=1)
    environment.close()


def test_emulators_that_diverge_are_an_error():
    lockstep = render.Lockstep(environments.Atari("pong"), seed=0)
    lockstep.reset()
    lockstep._shown.step(np.array([0]))  # one step ahead from now on
    with pytest.raises(RuntimeError, match="must equal the played one"):
        for _ in range(300):
            lockstep.step(np.array([0]))
    lockstep.close()


def test_catch_shows_ball_and_paddle():
    rendered = environments.make_rendered(environments.Catch(rows=4, columns=3), 0)
    timestep = rendered.environment.reset()
    picture = rendered.render()
    assert picture.shape == (4 * 24, 3 * 24, 3)
    lit = picture[::24, ::24].any(axis=-1)
    np.testing.assert_array_equal(lit, timestep.observation[0] > 0)
    assert (picture[0].max(axis=0) != picture[-1].max(axis=0)).any()


def test_a_name_instead_of_a_config_is_refused():
    with pytest.raises(TypeError, match="must be an environment's config"):
        environments.make_rendered("pong", 0)


@pytest.mark.parametrize(
    "means, library, drawn_with",
    [("", "EGL", "egl"), (" OSMesa", "OSMesa", "osmesa"), ("glfw", "GL", "glfw")],
)
def test_mujoco_draws_with_the_library_it_is_set_to(
    monkeypatch, means, library, drawn_with
):
    class Told(Exception):
        """Raised instead of building: MuJoCo reads MUJOCO_GL once per process."""

    def make_one(config, seed, rendered):
        assert rendered
        raise Told(mujoco_library.os.environ["MUJOCO_GL"])

    monkeypatch.setattr(mujoco_library, "find_library", lambda name: name == library)
    monkeypatch.setattr(mujoco_library, "_has_screen", lambda: True)
    monkeypatch.setattr(render.locomotion, "make_one", make_one)
    monkeypatch.setenv("MUJOCO_GL", means)
    with pytest.raises(Told, match=drawn_with):
        environments.make_rendered(environments.Locomotion(), 0)
