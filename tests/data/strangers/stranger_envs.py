"""Environments as strangers write them: no file of the project knows this module."""

import dm_env
import gymnasium
import numpy as np
from gymnasium import spaces


class Corridor(gymnasium.Env):
    """Fetch a key at the left end, then reach the door at the right end.

    Dict observations, places numbered from 1, moves numbered from -1.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}

    def __init__(self, length=4, names=("west", "east"), render_mode=None):
        self.length, self.names, self.render_mode = length, names, render_mode
        self.observation_space = spaces.Dict(
            place=spaces.Discrete(length, start=1),
            seen=spaces.Tuple([spaces.MultiBinary(1), spaces.Box(-1, 1, (2,))]),
        )
        self.action_space = spaces.Discrete(3, start=-1)

    def _seen(self):
        wind = self.np_random.uniform(-1, 1, 2)  # float64, though float32 is declared
        return {"place": self.place, "seen": (np.array([self.key], np.int8), wind)}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.key = 2, 0
        return self._seen(), {}

    def step(self, action):
        assert action in (-1, 0, 1)
        self.place = int(np.clip(self.place + action, 1, self.length))
        self.key |= self.place == 1
        done = bool(self.key and self.place == self.length)
        return self._seen(), int(done), done, False, {}

    def render(self):
        picture = np.zeros((20, 20 * self.length, 3), np.uint8)
        picture[:, 20 * (self.place - 1) : 20 * self.place] = 255
        return picture


class Tank(gymnasium.Env):
    """Keep the level at 1 by an inflow in [0, 4] and a heater in [-3, 1].

    It writes into the action that it gets, cuts its episodes itself, and ends them when
    the tank overflows. It cannot be rendered.
    """

    observation_space = spaces.Box(-np.inf, np.inf, (2, 1), np.float64)
    action_space = spaces.Box(np.array([0.0, -3.0]), np.array([4.0, 1.0]), (2,), "f8")

    def __init__(self, steps, level, seed):
        self.steps, self.level, self.generator = (
            steps,
            level,
            np.random.default_rng(seed),
        )

    def reset(self, *, seed=None, options=None):
        self.now, self.heat, self.taken = self.level, self.generator.normal(), 0
        return np.array([[self.now], [self.heat]]), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        action *= 0.1
        self.now, self.heat = 0.8 * self.now + action[0], 0.9 * self.heat + action[1]
        self.taken += 1
        reward = np.float64(-abs(self.now - 1))
        over = self.now > 1.8
        return (
            np.array([[self.now], [self.heat]]),
            reward,
            over,
            self.taken == self.steps,
            {},
        )


def make_tank(steps=20, level=0.5, seed=None):
    return Tank(steps, level, seed)


class Lights(gymnasium.Env):
    """Choose the quarter of a picture `[44, 40, 3]` of bytes that shines."""

    metadata = {"render_modes": ["human", "rgb_array"]}
    observation_space = spaces.Box(0, 255, (44, 40, 3), np.uint8)
    action_space = spaces.Discrete(4)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode
        self.picture = np.zeros((44, 40, 3), np.uint8)

    def _shine(self):
        self.light = int(self.np_random.integers(4))
        self.picture[:] = 10  # the same array each time
        row, column = divmod(self.light, 2)
        self.picture[22 * row : 22 * row + 22, 20 * column : 20 * column + 20] = 250

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._shine()
        return self.picture, {}

    def step(self, action):
        right = action == self.light
        self._shine()
        return self.picture, float(right), False, False, {}

    def render(self):
        return self.picture


class Swing(dm_env.Environment):
    """A dm_env environment: nested observations, moves 2 to 4, discounts of 0.5."""

    def __init__(self, steps=3):
        self.steps = steps

    def reset(self):
        self.taken = 0
        return dm_env.restart(self._seen())

    def step(self, action):
        assert action in (2, 3, 4)
        self.taken += 1
        if self.taken == self.steps:
            return dm_env.truncation(1.0, self._seen(), discount=0.5)
        return dm_env.transition(0.25, self._seen(), discount=0.5)

    def _seen(self):
        return {"x": np.array([self.taken, 7], np.int64), "y": [True]}

    def observation_spec(self):
        return {
            "x": dm_env.specs.Array((2,), np.int64),
            "y": [dm_env.specs.Array((), bool)],
        }

    def action_spec(self):
        return dm_env.specs.BoundedArray((), np.int64, 2, 4)


class Broken(gymnasium.Env):
    """Breaks one rule of the interface, named by `how`, at its second step."""

    observation_space = spaces.Box(-1, 1, (3,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, how="", after=1):
        self.how, self.after, self.taken = how, after, 0

    def reset(self, *, seed=None, options=None):
        seen = np.zeros(3, np.float32)
        return seen if self.how == "reset" else (seen, {})

    def step(self, action):
        self.taken += 1
        good = (np.zeros(3, np.float32), 1.0, False, False, {})
        if self.taken <= self.after:
            return good
        changes = {
            "shape": (0, np.zeros(4, np.float32)),
            "type": (0, np.array(["a", "b", "c"])),
            "observation": (0, np.array([0, np.nan, 0], np.float32)),
            "none": (1, None),
            "array": (1, np.ones(1)),
            "reward": (1, float("inf")),
            "flag": (2, None),
        }
        if self.how in changes:
            index, value = changes[self.how]
            return *good[:index], value, *good[index + 1 :]
        if self.how == "values":
            return good[:2] + good[3:]
        if self.how == "exit":
            raise SystemExit("a wish to leave")
        raise KeyError("a bug")


gymnasium.register("stranger/Corridor-v3", f"{__name__}:Corridor", max_episode_steps=30)
gymnasium.register("Lights-v0", f"{__name__}:Lights", max_episode_steps=9)
