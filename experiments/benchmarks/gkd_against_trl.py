"""On-policy distillation here and in TRL: the same decoders, prompts and settings.

    python -m experiments.benchmarks.gkd_against_trl compare DIR

prints one line of figures for each side, three times in turns, each of a new process.
Run it on a machine that does nothing else, under `taskset -c 0,1` if there are more
cores. The first time, TRL is installed, in a folder that `munchausen bench --peers`
uses, too.

Teacher and student are random Gemma 3 decoders of a million parameters. A batch has 32
prompts of 12 to 32 tokens; completions have at most 32. All of them are generated
(lambda = 1) at temperature 1; the divergence is jsd with beta = 0.5, averaged over
tokens; Adam has a constant rate, and gradients are not clipped.

TRL runs its trainer, which reads a dataset; ours calls `act` and `update` in turns, as
the loop of a local run does, without environments, logs and checkpoints.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from agents import gkd
from agents.parts import sgd
from agents.parts.contract import Agent, Spec, TrainingState, Transition
from agents.parts.language import sequences, transformer
from experiments.benchmarks import gkd_in_trl, peer_environments
from experiments.benchmarks.gkd_in_trl import Moment, figures
from experiments.benchmarks.others_cpu import OthersCpu
from experiments.benchmarks.started_process import ended_in_order
from launch.errors import RunStopped
from launch.pretrained import safetensors

SETTINGS = {
    "batch": 32,
    "length": 32,  # T
    "updates": 24,
    "skipped": 4,  # first updates that count for no rate
    "learning_rate": 3e-4,
    "seed": 1,
}
_TURNS = 3
DECODER = transformer.Config(vocabulary=96, width=128, layers=4, heads=4, kv_heads=2)
PROMPT = (12, 32)  # tokens of the shortest and the longest


def prepare(directory: Path, settings: dict[str, Any] = SETTINGS) -> None:
    """Writes two checkpoints, prompts `[updates * B, P]` and settings."""
    for seed, name in enumerate(("teacher", "student")):
        params = transformer.init(jax.random.key(seed), DECODER)
        safetensors.save(directory / name, DECODER, params)
    rng = np.random.default_rng(settings["seed"])
    shape = (settings["updates"] * settings["batch"], PROMPT[1])
    prompts = rng.integers(4, DECODER.vocabulary, shape, dtype=np.int32)
    prompts[:, 0] = sequences.BOS
    lengths = rng.integers(PROMPT[0], PROMPT[1] + 1, shape[:1])
    prompts[np.arange(PROMPT[1]) >= lengths[:, None]] = sequences.PAD
    np.save(directory / "prompts.npy", prompts)
    (directory / "settings.json").write_text(json.dumps(settings, indent=2))


def compare(directory: Path, environments: Path, turns: int = _TURNS) -> None:
    """Prints figures of both sides in turns.

    Args:
        directory: takes checkpoints, prompts and settings.
        environments: see `peer_environments.python`.
        turns: number of measurements of each side.

    Raises:
        Unavailable: TRL cannot be installed.
        CalledProcessError: a side failed; its output is on standard error.
    """
    python = peer_environments.python("trl", environments)
    directory.mkdir(exist_ok=True)
    prepare(directory)
    ours = "experiments.benchmarks.gkd_against_trl"
    commands = {
        "ours": [sys.executable, "-m", ours, "measure", str(directory)],
        "TRL": [str(python), "-P", gkd_in_trl.__file__, str(directory)],
    }
    for _ in range(turns):
        for side, command in commands.items():
            others = OthersCpu()
            done = subprocess.run(
                command, stdout=subprocess.PIPE, text=True, check=True
            )
            found = json.loads(done.stdout.splitlines()[-1])
            found |= {"cores_of_others": others.cores()}
            print(json.dumps({"side": side, **found}), flush=True)


def measure(directory: Path) -> dict[str, float]:
    """Distils the student for some updates.

    Args:
        directory: written by `prepare`.

    Returns:
        Figures by name, as `gkd_in_trl.py` has them.
    """
    settings = json.loads((directory / "settings.json").read_text())
    prompts = np.load(directory / "prompts.npy")
    agent, state = _begin(directory, settings, prompts.shape[1])
    act, update = jax.jit(agent.act), jax.jit(agent.update, donate_argnums=0)
    zeros = np.zeros(settings["batch"], np.float32)
    # The second part of an observation is a reference; there is none.
    rows = np.pad(prompts, ((0, 0), (0, settings["length"])))
    ends, generating, tokens = [Moment.now()], [], []
    for i, observation in enumerate(np.split(rows, len(rows) // settings["batch"])):
        begun = time.monotonic()
        action, extras = act(state.params, jax.random.key(i), observation, 0, False)
        action.block_until_ready()
        generating.append(time.monotonic() - begun)
        tokens.append(int(sequences.completion_length(action).sum()))
        batch = Transition(observation, action, zeros, zeros, observation, extras)
        state, metrics = update(state, batch)
        jax.block_until_ready(metrics)
        ends.append(Moment.now())
    return figures(settings, ends, generating, tokens)


def _begin(
    directory: Path, settings: dict[str, Any], columns: int
) -> tuple[Agent, TrainingState]:
    """GKD with both checkpoints, for prompts of so many columns."""
    teacher, student = (safetensors.load(directory / x) for x in ("teacher", "student"))
    config = gkd.Config(
        divergence="jsd",
        average="token_mean",
        network=student.config,
        teacher=teacher.config,
        optimizer=sgd.Optimizer(settings["learning_rate"], 1e-8),
        batch_size=settings["batch"],
    )
    length = settings["length"]
    spec = Spec(
        observation=jax.ShapeDtypeStruct((columns + length,), np.int32),
        num_actions=student.config.vocabulary,
        action=jax.ShapeDtypeStruct((length,), np.int32),
    )
    agent = gkd.agent(config, spec)
    state = jax.jit(agent.init)(jax.random.key(settings["seed"]))
    given = {"policy": student.params, "teacher": teacher.params}
    return agent, state._replace(params=jax.device_put(given))


def main(arguments: Sequence[str]) -> int:
    """Compares, or measures our side of a comparison; returns the exit code."""
    if len(arguments) != 2 or arguments[0] not in ("compare", "measure"):
        print("usage: gkd_against_trl compare|measure DIR", file=sys.stderr)
        return 2
    command, directory = arguments[0], Path(arguments[1])
    if command == "measure":
        print(json.dumps(measure(directory)))
        return 0
    try:
        with ended_in_order():
            compare(directory, peer_environments.default_folder())
    except (
        peer_environments.Unavailable,
        subprocess.CalledProcessError,
        RunStopped,
    ) as error:
        print(f"gkd_against_trl: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
