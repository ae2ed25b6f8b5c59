"""Adroit's tasks, and when they end."""

import numpy as np
import pytest

import environments
from environments import adroit


@pytest.mark.parametrize(
    ("name", "palm", "thing"),
    [
        ("door", "S_grasp", "S_handle"),
        ("hammer", "S_grasp", "Object"),
        ("relocate", "S_grasp", "Object"),
    ],
)
def test_the_penalised_distance_is_the_simulators(name, palm, thing):
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
