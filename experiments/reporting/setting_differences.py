"""Flattens an experiment's settings to text, and finds where experiments differ."""

from collections.abc import Iterable, Sequence
from typing import Any

from experiments import flags
from launch.runs.run_directory import BOOKKEEPING

# The beginning of paths of an agent's settings.
OF_AGENT = "agent."
# Fields in which runs of the same agent may differ.
_OF_A_RUN = ("seed", "origins", "description", *BOOKKEEPING)
# Fields that have no effect unless the run learns from a dataset.
_OF_A_DATASET = ("dataset", "preparation")
# Fields that runs of earlier versions lack, with the value that says the same.
_ADDED = {"evaluation.steps": "0"}


def flat(experiment: dict[str, Any]) -> dict[str, str]:
    """An experiment's fields by dotted path, as written on the command line."""
    found = dict(_flatten(_without_reading(experiment)))
    left_out = [*_OF_A_RUN]
    if not experiment.get("dataset"):  # runs of earlier versions lack these fields, too
        left_out += [path for path in found if path.startswith(_OF_A_DATASET)]
    left_out += [path for path, text in _ADDED.items() if found.get(path) == text]
    return {path: text for path, text in found.items() if path not in left_out}


def _without_reading(experiment: dict[str, Any]) -> dict[str, Any]:
    """The flags of reading a dataset by their names, those that are true.

    Runs of earlier versions lack these flags, and read as if they were false.
    """
    rest = dict(experiment)
    reading = rest.pop("dataset_reading", None)
    if isinstance(reading, dict):
        true = [flag for flag, value in reading.items() if value is True]
        rest |= {f"dataset.{flag}": True for flag in true}
    return rest


def environment_title(environment: dict[str, Any]) -> str:
    """An environment's configuration in a few words, such as `Atari pong dopamine`."""
    words = [str(environment.get("kind", "environment"))]
    for name, value in environment.items():
        if name != "kind" and value not in (None, {}):
            words.append(value if isinstance(value, str) else f"{name} {value}")
    return " ".join(words)


def title(experiment: dict[str, Any]) -> str:
    """An experiment's environment, and its dataset if it has one, in a few words."""
    environment = environment_title(experiment["environment"])
    dataset = experiment.get("dataset")
    return f"{environment}, from {dataset}" if dataset else environment


def differences(
    flat: Sequence[dict[str, str]],
) -> dict[str, list[str | None]]:
    """The fields that differ, with each experiment's value; None where it is absent."""
    paths = dict.fromkeys(path for fields in flat for path in fields)
    values = {path: [fields.get(path) for fields in flat] for path in paths}
    return {path: row for path, row in values.items() if len(set(row)) > 1}


def telling(
    flat: Sequence[dict[str, str]], commands: str = "", most: int = 4
) -> list[str]:
    """The fields that tell experiments apart, as few as can be found one by one.

    Each is the one that leaves the fewest experiments alike; of equally good ones one
    of the agent, then one that a command names, then the first.

    Args:
        flat: the experiments, each as `flat` returns it; no two are equal.
        commands: the command lines that started them.
        most: number of fields.
    """
    values, chosen = differences(flat), list[str]()
    groups: list[tuple[str | None, ...]] = [()] * len(flat)

    def split(path: str) -> list[tuple[str | None, ...]]:
        pairs = zip(groups, values[path], strict=True)
        return [(*group, value) for group, value in pairs]

    while len(set(groups)) < len(flat) and len(chosen) < most:
        best = max(
            values,
            key=lambda path: (
                len(set(split(path))),
                path.startswith(OF_AGENT),
                f"--{path}" in commands,
            ),
        )
        groups = split(best)
        chosen.append(best)
    return chosen


def short(path: str, paths: Iterable[str]) -> str:
    """The end of a path that no other path has: its last part, the last two, or all."""
    parts = path.split(".")
    for length in range(1, len(parts)):
        end = ".".join(parts[-length:])
        if sum(f".{each}".endswith(f".{end}") for each in paths) == 1:
            return end
    return path


def _flatten(plain: Any, path: str = "") -> Iterable[tuple[str, str]]:
    if not isinstance(plain, dict):
        yield path, flags.show(tuple(plain) if isinstance(plain, list) else plain)
        return
    kind = str(plain.get("kind", "Config"))
    last = path.rpartition(".")[2]
    if path and kind != "Config" and kind.lower() != last:
        yield path, kind
    for name, value in plain.items():
        if name != "kind":
            yield from _flatten(value, f"{path}.{name}" if path else str(name))
