"""`sweep --optuna N`: Optuna chooses the cells.

The study is a journal in a folder next to the runs, `optuna-<digest>`. The digest is of
all that gives a trial its meaning: the experiment, the values or ranges of the fields,
the seeds, and what is measured.
"""

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

from experiments.flags import OverrideError
from experiments.verbs import sweep_results, sweep_runs
from experiments.verbs.sweep_arguments import Cell, Sweep
from experiments.verbs.sweep_values import Range
from launch.errors import RunDirectoryError, RunFailed
from launch.experiment import Experiment
from launch.runs import lock, serialization

JOURNAL = "journal.log"


def run(sweep: Sweep, output: Path) -> int:
    """Runs the trials that the study still lacks; prints and writes all results.

    Raises:
        OverrideError: Optuna is not installed, or a cell cannot run.
        RunDirectoryError: the study, a run or an output cannot be written or read.
        RunFailed: some trials failed; the results of the others are written.
        RunStopped: a signal ended the runs, which saved themselves.
    """
    if importlib.util.find_spec("optuna") is None:
        raise OverrideError(
            "--optuna needs Optuna: install it with `make optuna`, or with "
            "`pip install 'munchausen[optuna]'`"
        )
    wanted = sweep.options.optuna or 0
    ends = _ends(sweep)
    experiments = ends[0].experiments
    runs = wanted * len(experiments)
    print(f"{wanted:,} trials, {runs:,} runs", flush=True)
    if sweep.options.dry_run:
        return 0
    limit = sweep_runs.at_once(sweep.train, runs)
    for cell in ends:
        sweep_runs.check(cell, sweep.train, limit)
    from experiments.verbs.sweep_trials import Trials  # imports Optuna

    folder = _folder(sweep, experiments)
    failure = None
    with lock.locked(folder):
        trials = Trials(sweep, folder / JOURNAL, experiments[0].seed)
        total = trials.left * len(experiments)
        try:
            sweep_runs.run(trials.entries(), sweep.train, limit, total, trials.ended)
        except RunFailed as error:
            failure = error
        measure = sweep_results.MEASURES[sweep.options.measure]
        results = sweep_results.collect(trials.cells(), sweep.train.runs, measure)
    sweep_results.show(results, sweep, output)
    if trials.failed:
        failed = ", ".join(map(str, trials.failed))
        said = f"{len(trials.failed)} of {wanted} trials failed: {failed}"
        raise RunFailed(said) from failure
    return 0


def _ends(sweep: Sweep) -> list[Cell]:
    """Cells with each listed value and both ends of each range, one field at a time.

    Raises:
        OverrideError: `train` refuses one of them.
    """
    several = {
        path: (found.low, found.high) if isinstance(found, Range) else found
        for path, found in sweep.swept.items()
    }
    first = {path: values[0] for path, values in several.items()}
    changed = [first | {path: value} for path in several for value in several[path][1:]]
    return [sweep.cell(values) for values in (first, *changed)]


def _folder(sweep: Sweep, experiments: Sequence[Experiment]) -> Path:
    """The folder of the study, made if it is missing.

    Raises:
        RunDirectoryError: it cannot be made.
    """
    described = [
        serialization.to_plain(experiments[0]),
        [experiment.seed for experiment in experiments],
        {path: repr(values) for path, values in sweep.swept.items()},
    ]
    if sweep.options.measure != "evaluation":
        described.append(sweep.options.measure)
    text = json.dumps(described, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = Path(sweep.train.runs) / sweep.name / f"optuna-{digest}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(f"cannot write {folder}: {error.strerror}") from error
    return folder
