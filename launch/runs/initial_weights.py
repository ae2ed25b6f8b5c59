"""The first weights of a run's networks: where they come from, and their loading.

`Experiment.initial` names the places. Before a run begins, `origin` turns each into an
`Origin`, which `config.yaml` records; the learner loads it once. A run that resumes
reads its own checkpoint instead.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from agents.parts.contract import NetworkParams, Params
from launch.build import make_agent, spec_of
from launch.errors import Damaged, RunDirectoryError
from launch.experiment import Origin
from launch.runs import checkpoint, existing_runs, logs, run_directory
from launch.runs.checkpoint_files import STATE
from launch.runs.initial_networks import is_pretrained, run_of

_CHUNK = 1 << 24  # bytes that are read at a time


def check_whole(directory: Path) -> None:
    """Refuses a run that is not finished, and a checkpoint that cannot be loaded.

    Raises:
        RunDirectoryError: the run is not, or is none.
        PretrainedError: a file of the checkpoint is missing, damaged or does not fit.
    """
    if not is_pretrained(directory):
        check_finished(directory)
        return
    from launch.pretrained import safetensors  # other runs do not need it

    safetensors.check(directory)


def check_finished(directory: Path) -> None:
    """Refuses a run that is not finished.

    Raises:
        RunDirectoryError: it is not, or it is no run.
    """
    experiment = run_directory.read_experiment(directory)
    if not existing_runs.is_complete(directory, experiment):
        done = logs.evaluated(directory)
        raise RunDirectoryError(
            f"a run that gives weights must be finished, but {directory} was "
            f"evaluated last after {done:,} of {experiment.steps:,} steps: continue it "
            f"with `munchausen train --resume {directory}`"
        )


def origin(network: str, directory: Path, taken: str) -> Origin:
    """The weights of a finished run, or of a checkpoint of Hugging Face.

    Args:
        network: of the run to begin.
        directory: of the finished run or the checkpoint.
        taken: the network that gives the weights.

    Raises:
        RunDirectoryError: it is not a run, not finished, or has no usable checkpoint.
    """
    path = directory
    if not is_pretrained(directory):
        check_finished(directory)
        path = checkpoint.newest(directory, replay=False).path
    return Origin(network, str(path.absolute()), taken, _digest(path))


def load(origins: Sequence[Origin]) -> Params:
    """The first weights of a run's networks, by name.

    Raises:
        RunDirectoryError: they are gone, or are not those that were chosen.
    """
    return {each.network: _load(each) for each in origins}


def _load(origin: Origin) -> NetworkParams:
    path = Path(origin.path)
    if _digest(path) != origin.sha256:
        raise RunDirectoryError(
            f"{path} must hold the weights with which {origin.network} was to begin, "
            "but it is gone or was altered: begin the run again as a new one"
        )
    if is_pretrained(path):
        from launch.pretrained import safetensors  # other runs do not need it

        return safetensors.load(path).params
    experiment = run_directory.read_experiment(run_of(path))
    agent = make_agent(experiment, spec_of(experiment))
    try:
        saved = checkpoint.read(path, replay=False)
    except Damaged as error:
        raise RunDirectoryError(str(error)) from error
    return checkpoint.load_state(saved, agent).params[origin.source]


def _digest(path: Path) -> str:
    """SHA-256 of the names and contents of all files with weights."""
    total = hashlib.sha256()
    pretrained = is_pretrained(path)
    files = path.glob("*.safetensors") if pretrained else (path / STATE).rglob("*")
    for file in sorted(each for each in files if each.is_file()):
        total.update(str(file.relative_to(path)).encode() + b"\0")
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                total.update(chunk)
    return total.hexdigest()
