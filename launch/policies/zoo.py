"""The zoo: small trained policies that are part of this package, named `zoo/<name>`.

A policy of the zoo is a run directory reduced to what playing needs: `config.yaml` and
the parameters of all networks (`launch.policies.policy_file`). It has neither the state
of an optimiser nor a replay, so it cannot be trained further. `trained/zoo.csv` records
how each policy was made; `experiments.tables.zoo` writes both.
"""

from pathlib import Path

from launch.errors import RunDirectoryError

PREFIX = "zoo"
FOLDER = Path(__file__).with_name("trained")
TABLE = FOLDER / "zoo.csv"
POLICY = "policy.npz"


def names() -> list[str]:
    """The names of all policies in the zoo, such as `zoo/mdqn-catch`."""
    return sorted(f"{PREFIX}/{path.parent.name}" for path in FOLDER.glob(f"*/{POLICY}"))


def is_in_zoo(directory: str | Path) -> bool:
    """Whether a name stands for a policy of the zoo.

    A directory of that name in the working directory comes first.
    """
    return not Path(directory).is_dir() and str(directory) in names()


def find(directory: str | Path) -> Path:
    """The run directory that a name stands for: itself, or a policy of the zoo.

    Args:
        directory: a path, or `zoo/<name>`.

    Raises:
        RunDirectoryError: neither exists.
    """
    path = Path(directory)
    if is_in_zoo(path):
        return FOLDER / path.name
    if not path.exists() and path.parts[:1] == (PREFIX,):
        raise RunDirectoryError(
            f"{path} is neither a directory nor a policy of the zoo: "
            f"{', '.join(names())}"
        )
    if not path.is_dir():
        raise RunDirectoryError(f"{path} is not a directory")
    return path


def refuse(directory: str | Path, action: str) -> None:
    """Refuses a policy of the zoo, or a copy of one, where a whole run is needed.

    Args:
        directory: a run directory, or `zoo/<name>`.
        action: what the caller wants to do with the run, such as "resume".

    Raises:
        RunDirectoryError: it is only a policy.
    """
    if is_in_zoo(directory) or (Path(directory) / POLICY).is_file():
        raise RunDirectoryError(
            f"cannot {action} {directory}: it holds a trained policy only, without "
            "checkpoints; name a run directory, as `train` printed it"
        )
