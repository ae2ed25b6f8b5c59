"""The extras that a policy returns reach the replay with its actions."""

import numpy as np

from launch.roles.actor import Actor, Loop


def test_an_actor_remembers_the_extras_of_its_last_actions(scripted):
    told = []

    class Recording:
        def observe_first(self, timestep):
            pass

        def observe(self, actions, timestep, extras):
            told.append((actions.tolist(), np.asarray(extras).tolist()))

    def act(params, key, observation, actor_steps, evaluation):
        return observation + 1, -observation

    environment = scripted([[[3.0, -5.0]], [[0.5, 0.25, 9.0]]])
    loop = Loop(environment, Actor(act, dict, seed=0, adder=Recording()))
    for _ in range(3):
        loop.step()
    assert told == [
        ([1, 101], [0, -100]),
        ([2, 102], [-1, -101]),
        ([3, 103], [-2, -102]),
    ]
