"""Atari 2600 games, under the two evaluation protocols of the literature or others.

All show the newest four frames in grey, 84 x 84, oldest first; a frame is the maximum
over the last two of the emulated frames that an action lasts.

The limit of 27,000 steps truncates an episode, so that agents bootstrap from its last
state; TensorFlow's Dopamine stores it as the end of the game, as
`--agent.storage.terminal_at_time_limit true` does. ALE's continuous actions are not
offered here, but by `sac/gymnasium --environment.id ale_py:ALE/Pong-v5
--environment.kwargs.continuous true --environment.kwargs.obs_type ram`.
"""

import os
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import dm_env
import numpy as np
from dm_env import StepType, specs

from environments import vector
from environments.atari_games import check_game, offered
from environments.atari_games import games as games
from environments.checks import InvalidSetting, check_choice

ProtocolName = Literal["dopamine", "nature", "custom"]


class Settings(NamedTuple):
    """Settings of a protocol.

    Attributes:
        repeat_action_probability: probability that the emulator repeats the last action
            instead of the new one, at each emulated frame ("sticky actions").
        noop_max: an episode starts with 0 to `noop_max` frames of no-op. DQN Zoo has 1
            to 30; ale-py's vector of emulators always includes 0.
        life_loss_discount: the environment's discount when a life is lost in training;
            the game and the reported episode continue.
        frames_per_episode: emulated frames before truncation; 30 minutes of play.
        action_repeat: emulated frames per agent step.
        frame_stack: frames in an observation.
        reward_clip: bound on the learner's rewards.
        full_action_space: whether all 18 actions are offered, also those without an
            effect.
        mode: number of the game's mode; None: the cartridge's default.
        difficulty: number of the game's difficulty; None: the cartridge's default.
    """

    repeat_action_probability: float
    noop_max: int
    life_loss_discount: float
    frames_per_episode: int = 108_000
    action_repeat: int = 4
    frame_stack: int = 4
    reward_clip: float | None = 1.0
    full_action_space: bool = False
    mode: int | None = None
    difficulty: int | None = None


# dopamine: Machado et al. 2018, as run by Dopamine and by the M-DQN paper.
# nature: Mnih et al. 2015; here its evaluation episodes last 30 minutes as well.
SETTINGS: dict[str, Settings] = {
    "dopamine": Settings(0.25, noop_max=0, life_loss_discount=1.0),
    "nature": Settings(0.0, noop_max=30, life_loss_discount=0.0),
}

# Fields that protocol `custom` leaves open.
_OPEN = (
    "mode",
    "difficulty",
    "full_action_space",
    "repeat_action_probability",
    "frame_skip",
    "life_loss",
    "noop_max",
    "frames_per_episode",
)


class Picture(NamedTuple):
    """How the emulator renders its screen of 210 x 160 pixels.

    Attributes:
        height: in pixels.
        width: in pixels.
        grayscale: one byte for a pixel, else red, green and blue.
        frame_stack: number of newest frames in a picture; None: the protocol's number.
    """

    height: int = 84
    width: int = 84
    grayscale: bool = True
    frame_stack: int | None = None


AGENT = Picture()
SCREEN = Picture(210, 160, grayscale=False, frame_stack=1)  # for people


@dataclass(frozen=True)
class Atari:
    """One Atari game under one protocol.

    Attributes:
        game: name of the cartridge in snake case, such as `space_invaders`.
        protocol: `dopamine` has sticky actions, no no-op starts, and discount 0 at the
            end of the game only; `nature` has no sticky actions, up to 30 no-ops at
            the start, and discount 0 at each lost life in training. Both end an episode
            after 108,000 frames (27,000 agent steps, 30 minutes), use the game's
            minimal action set and clip the learner's rewards to [-1, 1]. `custom` is
            `dopamine` with the fields below, which are for it only.
        mode: number of the game's mode; none: the cartridge's default. With a mode or a
            difficulty the emulators run one after the other, which is slower.
        difficulty: number of the game's difficulty; none: the cartridge's default.
        full_action_space: whether all 18 actions are offered instead of those that have
            an effect in the game; none: false.
        repeat_action_probability: probability that a frame repeats the last action
            ("sticky actions"); none: 0.25.
        frame_skip: emulated frames per agent step; none: 4.
        life_loss: whether discounts are 0 at each lost life in training; none: false.
        noop_max: an episode starts with 0 to so many frames of no-op; none: 0.
        frames_per_episode: emulated frames before truncation; none: 108,000.
    """

    game: str = "pong"
    protocol: ProtocolName = "dopamine"
    mode: int | None = None
    difficulty: int | None = None
    full_action_space: bool | None = None
    repeat_action_probability: float | None = None
    frame_skip: int | None = None
    life_loss: bool | None = None
    noop_max: int | None = None
    frames_per_episode: int | None = None

    def __post_init__(self) -> None:
        check_choice("environment.protocol", self.protocol, get_args(ProtocolName))
        check_game(self.game)
        for name in _OPEN:
            value = getattr(self, name)
            if value is not None and self.protocol != "custom":
                raise InvalidSetting(
                    f"environment.{name}",
                    value,
                    f"left out, because protocol {self.protocol} fixes it (choose "
                    "--environment.protocol custom)",
                )
        probability = self.repeat_action_probability
        if probability is not None and not 0 <= probability <= 1:
            field = "environment.repeat_action_probability"
            raise InvalidSetting(field, probability, "between 0 and 1")
        for name, least in (
            ("frame_skip", 1),
            ("noop_max", 0),
            ("frames_per_episode", 1),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InvalidSetting(f"environment.{name}", value, f"at least {least}")
        self._check_offered()

    def _check_offered(self) -> None:
        """Checks mode and difficulty against those that the game offers."""
        if self.mode is None and self.difficulty is None:
            return
        for name, known in zip(("mode", "difficulty"), offered(self.game), strict=True):
            value = getattr(self, name)
            if value is not None and value not in known:
                listed = ", ".join(map(str, known))
                wanted = f"one of {listed}, which {self.game} offers"
                raise InvalidSetting(f"environment.{name}", value, wanted)

    def settings(self) -> Settings:
        """The settings of the protocol, with the fields of `custom`."""
        if self.protocol != "custom":
            return SETTINGS[self.protocol]
        given = {name: getattr(self, name) for name in _OPEN}
        given["action_repeat"] = given.pop("frame_skip")
        life_loss = given.pop("life_loss")
        given["life_loss_discount"] = (
            None if life_loss is None else float(not life_loss)
        )
        chosen = {name: value for name, value in given.items() if value is not None}
        return SETTINGS["dopamine"]._replace(**chosen)


class Vector:
    """N games of one kind in the emulator's threads; see `VectorEnvironment`.

    Args:
        config: the game and its protocol.
        num_environments: N.
        seed: of all randomness: sticky actions and the number of no-ops.
        evaluation: whether discounts ignore lost lives.
        picture: format of the observations; nothing else depends on it.
    """

    def __init__(
        self,
        config: Atari,
        num_environments: int,
        seed: int,
        evaluation: bool,
        *,
        picture: Picture = AGENT,
    ):
        settings = config.settings()
        self.num_environments = num_environments
        self.action_repeat = settings.action_repeat
        self.frame_stack = picture.frame_stack or settings.frame_stack
        self.reward_clip = settings.reward_clip
        self._life_loss_discount = 1.0 if evaluation else settings.life_loss_discount
        self._seeds: np.ndarray | None = np.array(
            vector.lane_seeds(num_environments, seed), np.int32
        )
        self._emulators = _make_emulators(
            config.game, settings, num_environments, picture
        )
        self._num_actions = int(self._emulators.single_action_space.n)
        self._last = np.zeros(num_environments, bool)
        self._lives = np.zeros(num_environments, np.int32)

    @property
    def lives(self) -> np.ndarray:
        """`[N]` lives left in each game; 0 in games without lives."""
        return self._lives

    def reset(self) -> dm_env.TimeStep:
        """Starts a new episode in every lane."""
        # Later resets continue with the generators that the first reset seeded.
        observation, info = self._emulators.reset(seed=self._seeds)
        self._seeds = None
        self._last = np.zeros(self.num_environments, bool)
        self._lives = info["lives"]
        return dm_env.TimeStep(
            step_type=np.full(self.num_environments, StepType.FIRST, np.int32),
            reward=np.zeros(self.num_environments, np.float32),
            discount=np.ones(self.num_environments, np.float32),
            observation=observation,
        )

    def step(self, actions: np.ndarray) -> dm_env.TimeStep:
        """Steps every lane once; see `VectorEnvironment.step`.

        Raises:
            ValueError: if an action is not in the game's action set.
        """
        if self._seeds is not None:
            return self.reset()
        first = self._last
        step = self._emulators.step(self._checked(actions, first))
        observation, reward, terminated, truncated, info = step
        lives = info["lives"]
        lost = (lives < self._lives) & ~first
        self._lives, self._last = lives, terminated | truncated
        step_type = np.where(self._last, StepType.LAST, StepType.MID)
        discount = np.where(lost, self._life_loss_discount, 1.0)
        return dm_env.TimeStep(
            step_type=np.where(first, StepType.FIRST, step_type).astype(np.int32),
            reward=reward.astype(np.float32),
            discount=np.where(terminated, 0.0, discount).astype(np.float32),
            observation=observation,
        )

    def _checked(self, actions: np.ndarray, first: np.ndarray) -> np.ndarray:
        """`[N]` int32 actions, checked because the emulator hangs on a wrong one."""
        if np.shape(actions) != first.shape:
            raise ValueError(
                f"need an action for each of {self.num_environments} environments, got "
                f"{np.size(actions)}"
            )
        checked = np.where(first, 0, actions).astype(np.int32)
        if checked.min() < 0 or checked.max() >= self._num_actions:
            raise ValueError(
                f"actions must be from 0 to {self._num_actions - 1}, got {actions}"
            )
        return checked

    def observation_spec(self) -> specs.BoundedArray:
        """`[4, 84, 84]` uint8, oldest frame first; `picture` may change the shape."""
        shape = self._emulators.single_observation_space.shape
        return specs.BoundedArray(shape, np.uint8, 0, 255, "frames")

    def action_spec(self) -> specs.DiscreteArray:
        """The game's minimal action set, or all 18 actions."""
        return specs.DiscreteArray(self._num_actions, np.int32, "action")

    def reward_spec(self) -> specs.Array:
        """The raw change of the game's score, `[]` float32."""
        return vector.reward_spec()

    def discount_spec(self) -> specs.BoundedArray:
        """Discount of one game, `[]` float32."""
        return vector.discount_spec()

    def close(self) -> None:
        """Closes the emulators."""
        self._emulators.close()


def make(
    config: Atari, num_environments: int, seed: int, evaluation: bool = False
) -> Vector:
    """N games; `evaluation` ignores lost lives even if the protocol counts them."""
    return Vector(config, num_environments, seed, evaluation)


def _make_emulators(
    game: str, settings: Settings, num_environments: int, picture: Picture
) -> Any:
    stack = picture.frame_stack or settings.frame_stack
    if settings.mode is not None or settings.difficulty is not None:
        return _make_moded(game, settings, num_environments, picture, stack)
    from ale_py.vector_env import AtariVectorEnv

    # Every argument is given, so that no default of another version changes a protocol.
    return AtariVectorEnv(
        game=game,
        num_envs=num_environments,
        batch_size=num_environments,
        num_threads=min(num_environments, len(os.sched_getaffinity(0))),
        thread_affinity_offset=-1,
        max_num_frames_per_episode=settings.frames_per_episode,
        repeat_action_probability=settings.repeat_action_probability,
        full_action_space=settings.full_action_space,
        continuous=False,
        continuous_action_threshold=0.5,
        autoreset_mode="NextStep",
        img_height=picture.height,
        img_width=picture.width,
        grayscale=picture.grayscale,
        stack_num=stack,
        frameskip=settings.action_repeat,
        maxpool=True,
        # It draws from 0 to one less.
        noop_max=settings.noop_max and settings.noop_max + 1,
        episodic_life=False,
        life_loss_info=False,
        reward_clipping=False,
        use_fire_reset=False,
    )


def _make_moded(
    game: str, settings: Settings, num_environments: int, picture: Picture, stack: int
) -> Any:
    """Emulators in a mode and a difficulty, without ale-py's vector."""
    from environments.atari_modes import make_emulators

    return make_emulators(
        num_environments,
        size=(picture.height, picture.width),
        grayscale=picture.grayscale,
        frame_stack=stack,
        action_repeat=settings.action_repeat,
        noop_max=settings.noop_max,
        game=game,
        mode=settings.mode,
        difficulty=settings.difficulty,
        repeat_action_probability=settings.repeat_action_probability,
        full_action_space=settings.full_action_space,
        max_num_frames_per_episode=settings.frames_per_episode,
    )
