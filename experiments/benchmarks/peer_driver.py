"""Runs the learning loop of another project and counts its steps.

    PYTHON peer_driver.py PEER WORK COUNTER [DATASET]

`PYTHON` is of an environment that `experiments.benchmarks.peer_environments` builds: it
has the peer, and not this repository, so this file imports nothing else of it. The
current folder takes what the peer writes.

The loops never end. All have the sizes of our experiments: for Pong a batch of 32 and
an update every 4 steps; for Hopper layers of 256 and 256 units, a batch of 256 and an
update every step. A policy acts from the first update on, with an epsilon of 0.01.
"""

import importlib
import importlib.metadata
import mmap
import runpy
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = 10**9
LEARNING_STARTS = 1_000
_HOPPER = "Hopper-v5"
_PONG = "PongNoFrameskip-v4"
# CleanRL's script for each work; CleanRL has no script of SAC for JAX.
_SCRIPTS = {
    "dqn/pong": ("dqn_atari_jax.py", _PONG, ("--start-e=0.01", "--end-e=0.01")),
    "td3/hopper": ("td3_continuous_action_jax.py", _HOPPER, ()),
    "sac/hopper": ("sac_continuous_action.py", _HOPPER, ()),
}


class Counter:
    """A number in a file that another process reads while it grows."""

    def __init__(self, path: Path):
        """Begins at 0."""
        path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._cells = memoryview(mmap.mmap(file.fileno(), 8)).cast("q")

    def count(self, *_: Any) -> bool:
        """Adds one; returns True, as a callback of Stable-Baselines3 must."""
        self._cells[0] += 1
        return True


def stable_baselines(module: str, work: str, counter: Counter) -> None:
    """Runs Stable-Baselines3 (`stable_baselines3`) or SBX, its JAX version (`sbx`)."""
    algorithm, _, task = work.partition("/")
    make = getattr(importlib.import_module(module), algorithm.upper())
    given: dict[str, Any] = {"learning_starts": LEARNING_STARTS, "gradient_steps": 1}
    if task == "pong":
        from stable_baselines3.common import env_util, vec_env

        given |= {
            "policy": "CnnPolicy",
            "env": vec_env.VecFrameStack(env_util.make_atari_env(_PONG), n_stack=4),
            "batch_size": 32,
            "train_freq": 4,
            "buffer_size": 50_000,
            "optimize_memory_usage": True,
            "replay_buffer_kwargs": {"handle_timeout_termination": False},
            "exploration_initial_eps": 0.01,
            "exploration_final_eps": 0.01,
        }
    else:
        given |= {
            "policy": "MlpPolicy",
            "env": _HOPPER,
            "batch_size": 256,
            "train_freq": 1,
            "policy_kwargs": {"net_arch": [256, 256]},
        }
    make(**given).learn(STEPS, callback=counter.count)


def cleanrl(work: str, counter: Counter) -> None:
    """Runs a script of CleanRL as it stands.

    The scripts are of 2023: names that Gymnasium has renamed since then, and the parts
    of Gym that they use, are given to them.
    """
    import gymnasium

    _name_as_in_2023(gymnasium)
    step = gymnasium.vector.SyncVectorEnv.step

    def counted(self: Any, actions: Any) -> Any:
        counter.count()
        return step(self, actions)

    gymnasium.vector.SyncVectorEnv.step = counted  # type: ignore[method-assign]
    name, environment, more = _SCRIPTS[work]
    sys.argv = [
        name,
        f"--env-id={environment}",
        f"--total-timesteps={STEPS}",
        f"--learning-starts={LEARNING_STARTS}",
        "--buffer-size=50000",
        *more,
    ]
    files = importlib.metadata.files("cleanrl") or []
    [script] = [file for file in files if file.name == name]
    runpy.run_path(str(script.locate()), run_name="__main__")


def _name_as_in_2023(gymnasium: Any) -> None:
    """Gives Gymnasium its old names, and makes a module `gym` of it."""
    wrappers = gymnasium.wrappers
    wrappers.GrayScaleObservation = wrappers.GrayscaleObservation
    wrappers.FrameStack = wrappers.FrameStackObservation

    class Seeded(gymnasium.Wrapper):
        """Gym's environments had a method for the seed."""

        def seed(self, seed: int) -> None:
            self.env.reset(seed=seed)

    class OldVector(gymnasium.vector.SyncVectorEnv):
        """Gym's vectors returned four values, and a dict for each environment."""

        def reset(self, **given: Any) -> Any:
            return super().reset(**given)[0]

        def step(self, actions: Any) -> Any:
            observation, reward, terminated, truncated, _ = super().step(actions)
            infos = [
                {"terminal_observation": seen, "TimeLimit.truncated": bool(cut)}
                for seen, cut in zip(observation, truncated, strict=True)
            ]
            return observation, reward, terminated | truncated, infos

    gym = types.ModuleType("gym")
    gym.make = lambda name: Seeded(  # type: ignore[attr-defined]
        gymnasium.make(name, disable_env_checker=True)  # Gym did not check either
    )
    gym.spaces = gymnasium.spaces  # type: ignore[attr-defined]
    gym.wrappers = types.SimpleNamespace(  # type: ignore[attr-defined]
        RecordEpisodeStatistics=lambda env: env
    )
    gym.vector = types.SimpleNamespace(SyncVectorEnv=OldVector)  # type: ignore[attr-defined]
    sys.modules["gym"] = gym


def d3rlpy(dataset: Path, counter: Counter) -> None:
    """Runs TD3+BC of d3rlpy on a dataset in D4RL's layout."""
    import d3rlpy as library
    import numpy as np

    with np.load(dataset) as columns:
        stored = library.dataset.MDPDataset(
            *(columns[name] for name in ("observations", "actions", "rewards")),
            terminals=columns["terminals"],
            timeouts=columns["timeouts"],
        )
    scaled = library.preprocessing.StandardObservationScaler()
    config = library.algos.TD3PlusBCConfig(batch_size=256, observation_scaler=scaled)
    config.create(device="cpu:0").fit(
        stored,
        n_steps=STEPS,
        n_steps_per_epoch=10_000,
        logger_adapter=library.logging.NoopAdapterFactory(),
        show_progress=False,
        save_interval=STEPS,
        callback=counter.count,
    )


def main(peer: str, work: str, path: str, dataset: str = "") -> None:
    """Runs one loop until the process is ended."""
    counter = Counter(Path(path))
    if work.endswith("pong"):
        import ale_py
        import gymnasium

        gymnasium.register_envs(ale_py)
    loops: dict[str, Callable[[], None]] = {
        "sb3": lambda: stable_baselines("stable_baselines3", work, counter),
        "sbx": lambda: stable_baselines("sbx", work, counter),
        "cleanrl": lambda: cleanrl(work, counter),
        "d3rlpy": lambda: d3rlpy(Path(dataset), counter),
    }
    loops[peer]()


if __name__ == "__main__":
    main(*sys.argv[1:])
