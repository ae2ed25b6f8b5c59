"""Adds a run's policy to the zoo: its parameters, its settings, and a row of the table.

python -m experiments.tables.zoo runs/mdqn/catch/seed0-... mdqn-catch
python -m experiments.tables.zoo runs/iq/hopper/seed0-... iq-hopper 70_000

The number is the checkpoint's step; without it, the newest checkpoint is taken. The row
has the returns that the policy reached afterwards, in `EPISODES` episodes.
"""

import csv
import shutil
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from experiments import output_files
from launch import output
from launch.errors import RunDirectoryError
from launch.policies import policy_file, saved_policy, zoo
from launch.policies.evaluate import evaluate_run
from launch.runs import checkpoint, run_directory

EPISODES = 20
SEED = 0
COLUMNS = (
    "policy",
    "experiment",
    "seed",
    "actor_steps",
    "mean_return",
    "lowest_return",
    "highest_return",
    "episodes",
    "command",
    "code",
    "machine",
    "started",
)


def add(run: Path, name: str, steps: int | None = None) -> dict[str, Any]:
    """Writes a policy into the zoo, where it replaces one of the same name.

    Args:
        run: a run directory with a checkpoint.
        name: in the zoo, without `zoo/`.
        steps: of the checkpoint; None: the newest.

    Returns:
        Its row in the zoo's table.

    Raises:
        RunDirectoryError: the run cannot be read, or has no checkpoint at `steps`.
    """
    kept = checkpoint.kept(run)
    if steps is not None and steps not in kept:
        raise RunDirectoryError(
            f"{run} has no checkpoint at step {steps}; it has {kept or 'none'}"
        )
    config = run_directory.read_config(run)
    _, _, params = saved_policy.load(run, steps)
    folder = zoo.FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    text = yaml.safe_dump(config, sort_keys=False)
    (folder / run_directory.CONFIG).write_text(text, encoding="utf-8")
    policy_file.save(folder / zoo.POLICY, params)
    returns = evaluate_run(folder, EPISODES, SEED).returns
    row = {
        "policy": f"{zoo.PREFIX}/{name}",
        "experiment": config["experiment"]["name"],
        "seed": config["experiment"]["seed"],
        "actor_steps": steps or kept[-1],
        "mean_return": f"{statistics.fmean(returns):.6g}",
        "lowest_return": f"{min(returns):.6g}",
        "highest_return": f"{max(returns):.6g}",
        "episodes": len(returns),
        **{column: config[column] for column in COLUMNS[-4:]},
    }
    _write_table([*(each for each in table() if each["policy"] != row["policy"]), row])
    return row


def table() -> list[dict[str, Any]]:
    """The rows of the zoo's table, one for each policy."""
    if not zoo.TABLE.is_file():
        return []
    with zoo.TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write_table(rows: Sequence[dict[str, Any]]) -> None:
    ordered = sorted(rows, key=lambda row: row["policy"])
    output_files.write_table(zoo.TABLE, COLUMNS, ordered)


def main(arguments: Sequence[str]) -> int:
    """Adds one policy and prints its row."""
    if len(arguments) not in (2, 3):
        print(
            "usage: python -m experiments.tables.zoo RUN NAME [STEPS]", file=sys.stderr
        )
        return 2
    run, name, *steps = arguments
    try:
        row = add(Path(run), name, int(steps[0]) if steps else None)
    except (RunDirectoryError, ValueError) as error:
        print(f"zoo: {error}", file=sys.stderr)
        return 2
    for column, value in row.items():
        print(f"{column:14} {value}")
    return 0


if __name__ == "__main__":
    output.guard()
    sys.exit(main(sys.argv[1:]))
