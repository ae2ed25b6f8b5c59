"""Run directories written by hand, a few numbers each."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ENVIRONMENT = {"kind": "Catch", "rows": 10, "columns": 5}
HEADER = (
    "grid,actor_steps,frames,learner_steps,episodes,mean_return,returns,lengths,"
    "wall_time\n"
)


def metrics_row(
    steps: int, role: str, wall: float, episodes: int = 0, **values: Any
) -> dict[str, Any]:
    """A row as `metrics.jsonl` has it: 4 frames a step, a learner step every 4."""
    counts = {"actor_steps": steps, "frames": 4 * steps, "learner_steps": steps // 4}
    return counts | {"episodes": episodes, "wall_time": wall, "role": role} | values


def write(
    root: Path,
    name: str = "mdqn/catch",
    seed: int = 0,
    evaluations: Mapping[int, Sequence[float]] | None = None,
    metrics: Sequence[Mapping[str, Any]] = (),
    *,
    steps: int = 100,
    environment: Mapping[str, Any] = ENVIRONMENT,
    directory: str = "",
    dataset: str = "",
    **agent: Any,
) -> Path:
    """A run directory.

    Args:
        root: of the runs.
        name: of the experiment; the part before the slash is the agent.
        seed: of the run.
        evaluations: returns of the episodes by grid point; None: no file yet.
        metrics: rows.
        steps: of the experiment.
        environment: its configuration.
        directory: name of the run directory; empty: from the seed.
        dataset: id of the run's dataset; then grid points are learner steps.
        agent: its settings.
    """
    path = root / name / (directory or f"seed{seed}-20250102-030405")
    path.mkdir(parents=True)
    experiment = {
        "kind": "Experiment",
        "name": name,
        "agent_name": name.partition("/")[0],
        "agent": {"kind": "Config", "discount": 0.99, **agent},
        "environment": dict(environment),
        "steps": steps,
        "seed": seed,
    }
    if dataset:
        experiment |= {"dataset": dataset, "preparation": {"kind": "Preparation"}}
    config = {
        "experiment": experiment,
        "command": f"munchausen train {name} --seed {seed}",
        "started": "2025-01-02T03:04:05+00:00",
        "machine": "a computer",
        "code": "0123456789abcdef",
        "versions": {"python": "3.10.13", "jax": "0.6.2", "dm-acme": None},
    }
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    if evaluations is not None:
        lines = [
            f"{grid},{_counts(grid, offline=bool(dataset))},"
            f"{sum(returns) / len(returns)},{' '.join(map(str, returns))},"
            f"{' '.join('9' for _ in returns)},{grid / 10}\n"
            for grid, returns in evaluations.items()
        ]
        (path / "evaluations.csv").write_text(HEADER + "".join(lines))
    if metrics:
        text = "".join(json.dumps(row) + "\n" for row in metrics)
        (path / "metrics.jsonl").write_text(text)
    return path


def _counts(grid: int, *, offline: bool) -> str:
    """Four counters at a grid point."""
    counts = (0, 0, grid, 0) if offline else (grid, 4 * grid, grid // 4, grid // 10)
    return ",".join(map(str, counts))
