"""Cells that Optuna chooses: a trial is one cell, all of its seeds.

The study is a journal in a folder next to the runs, `optuna-<digest>`. Its digest is of
everything that gives a trial its meaning: the experiment, the values or ranges of the
fields, and the seeds. Trial k depends on the sampler's seed, k and the trials before it
only, so a search that is interrupted and continued with --parallel 1 chooses what an
uninterrupted one chooses.
"""

import dataclasses
import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments import flags
from experiments.flags import OverrideError
from experiments.verbs import sweep_results, sweep_runs
from experiments.verbs.sweep_arguments import Cell, Sweep
from experiments.verbs.sweep_values import Range
from experiments.verbs.train_summary import final_return
from launch.errors import RunDirectoryError, RunFailed
from launch.experiment import Experiment
from launch.runs import lock, serialization
from launch.runs.existing_runs import Entry, Finder

if TYPE_CHECKING:  # an extra; otherwise late, after the command line is checked
    import optuna
    from optuna.distributions import BaseDistribution

_JOURNAL = "journal.log"


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
    seeds = len(ends[0].experiments)
    print(f"{wanted:,} trials, {wanted * seeds:,} runs", flush=True)
    if sweep.options.dry_run:
        return 0
    limit = sweep_runs.at_once(sweep.train, wanted * seeds)
    for cell in ends:
        sweep_runs.check(cell, sweep.train, limit)
    folder = _folder(sweep, ends[0].experiments)
    with lock.locked(folder):
        trials = Trials(sweep, folder, ends[0].experiments[0].seed)
        total = trials.left * seeds
        failure = None
        try:
            sweep_runs.run(trials.entries(), sweep.train, limit, total, trials.ended)
        except RunFailed as error:
            failure = error
        results = sweep_results.collect(trials.cells(), sweep.train.runs)
    sweep_results.show(results, sweep, output)
    if failure is None and trials.refused:
        failure = RunFailed(f"{trials.refused} of {wanted} trials could not run")
    if failure is not None:
        raise failure
    return 0


def _ends(sweep: Sweep) -> list[Cell]:
    """Cells with each listed value and both ends of each range, one field at a time."""
    several = {
        path: (found.low, found.high) if isinstance(found, Range) else found
        for path, found in sweep.swept.items()
    }
    first = {path: values[0] for path, values in several.items()}
    changed = [
        first | {path: value} for path in several for value in several[path][1:]
    ]
    return [sweep.cell(values) for values in (first, *changed)]


def _folder(sweep: Sweep, experiments: Sequence[Experiment]) -> Path:
    """The folder of the study, made if it is missing.

    Raises:
        RunDirectoryError: it cannot be made.
    """
    described = [
        serialization.to_plain(experiments[0]) | {"steps": experiments[0].steps},
        [experiment.seed for experiment in experiments],
        {path: repr(values) for path, values in sweep.swept.items()},
    ]
    text = json.dumps(described, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = Path(sweep.train.runs) / sweep.name / f"optuna-{digest}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(f"cannot write {folder}: {error.strerror}") from error
    return folder


class Trials:
    """The trials of a study: asks for cells, and tells their returns.

    Attributes:
        left: number of trials that this command runs.
        refused: trials whose cell could not be started.
    """

    def __init__(self, sweep: Sweep, folder: Path, seed: int):
        """Loads the study, or begins it.

        Args:
            sweep: the command line.
            folder: of the study; locked by the caller.
            seed: of the sampler.

        Raises:
            RunDirectoryError: the journal cannot be read.
        """
        self._sweep = sweep
        self._seed = seed
        self._study = _load(folder / _JOURNAL)
        self._space = {path: _distribution(each) for path, each in sweep.swept.items()}
        self._finder = Finder(sweep.train.runs)
        self._in_flight: dict[int, Cell] = {}
        self._ended: dict[Experiment, Path | None] = {}  # None: the run failed
        self._begun: set[Experiment] = set()
        self._interrupted = self._in_state("RUNNING")
        finished = len(self._in_state("COMPLETE"))
        wanted = sweep.options.optuna or 0
        self._to_ask = max(wanted - finished - len(self._interrupted), 0)
        self.left = self._to_ask + len(self._interrupted)
        self.refused = 0

    def entries(self) -> Iterator[Entry]:
        """The runs to start: of interrupted trials first, then of new ones."""
        for trial in self._interrupted:
            yield from self._begin(trial.number, trial.params)
        self._enqueue_failed()
        for _ in range(self._to_ask):
            number = len(self._study.trials)
            self._study.sampler = _sampler(self._seed, number)
            trial = self._study.ask(self._space)
            yield from self._begin(trial.number, trial.params)

    def ended(self, entry: Entry, directory: Path, succeeded: bool) -> None:
        """Notes the end of a run; tells the study the trials that have all returns."""
        self._ended[entry.experiment] = directory if succeeded else None
        self._tell()

    def cells(self) -> list[Cell]:
        """The cell of each trial in order, each once, without those that were refused."""
        found: dict[str, Cell] = {}
        for trial in self._study.trials:
            values = self._values(trial.params)
            if set(values) == set(self._sweep.swept):
                try:
                    found.setdefault(repr(values), self._sweep.cell(values))
                except OverrideError:
                    continue  # named when the trial began
        return list(found.values())

    def _begin(self, number: int, params: Mapping[str, Any]) -> Iterator[Entry]:
        """The runs that a trial still needs; trials with the same cell share them."""
        try:
            cell = self._sweep.cell(self._values(params))
            sweep_runs.check(cell, self._sweep.train)
        except OverrideError as error:
            print(f"trial {number} failed: {error}", file=sys.stderr, flush=True)
            self.refused += 1
            self._fail(number)
            return
        self._in_flight[number] = cell
        for experiment in cell.experiments:
            if experiment in self._begun:
                continue
            self._begun.add(experiment)
            entry = self._finder.find(experiment)
            if entry.state == "complete":
                self._ended[experiment] = entry.directory
            elif entry.state == "held":
                self.refused += 1
                self._ended[experiment] = None
                held = f"{entry.directory} is held by another process"
                print(f"trial {number} failed: {held}", file=sys.stderr, flush=True)
            else:
                yield entry._replace(label=f"trial {number}: {cell.label}")
        self._tell()

    def _tell(self) -> None:
        """Tells the study each trial of which all runs have ended."""
        for number, cell in list(self._in_flight.items()):
            if not all(each in self._ended for each in cell.experiments):
                continue
            directories = [self._ended[each] for each in cell.experiments]
            returns = [None if path is None else final_return(path) for path in directories]
            known = [value for value in returns if value is not None]
            if len(known) == len(returns) and np.isfinite(known).all():
                self._study.tell(number, float(np.mean(known)))
            else:
                self._fail(number)
            del self._in_flight[number]

    def _fail(self, number: int) -> None:
        from optuna.trial import TrialState

        self._study.tell(number, state=TrialState.FAIL)

    def _enqueue_failed(self) -> None:
        """Lets the study try again the cells that failed before and never succeeded."""
        tried = [*self._in_state("COMPLETE"), *self._in_state("WAITING")]
        known = [trial.params or _queued(trial) for trial in tried]
        for trial in self._in_state("FAIL"):
            if trial.params and trial.params not in known:
                self._study.enqueue_trial(trial.params)
                known.append(trial.params)

    def _in_state(self, name: str) -> "list[optuna.trial.FrozenTrial]":
        return [trial for trial in self._study.trials if trial.state.name == name]

    def _values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """A trial's values by path, in the order of the command line."""
        values = {}
        for path, found in self._sweep.swept.items():
            if path in params:
                listed = found if isinstance(found, tuple) else ()
                by_text = {flags.show(value): value for value in listed}
                values[path] = by_text.get(params[path], params[path])
        return values


def _queued(trial: "optuna.trial.FrozenTrial") -> Mapping[str, Any]:
    return trial.system_attrs.get("fixed_params", {})


def _load(journal: Path) -> "optuna.study.Study":
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage = JournalStorage(JournalFileBackend(str(journal)))
        return optuna.create_study(
            storage=storage,
            study_name="sweep",
            direction="maximize",
            load_if_exists=True,
        )
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise RunDirectoryError(f"cannot read {journal}: {reason}") from error


def _sampler(seed: int, number: int) -> "optuna.samplers.BaseSampler":
    """The sampler of one trial, which no earlier trial of this process has used."""
    from optuna.samplers import TPESampler

    own = np.random.SeedSequence([seed, number]).generate_state(1)[0]
    return TPESampler(seed=int(own), constant_liar=True)


def _distribution(found: tuple[Any, ...] | Range) -> "BaseDistribution":
    from optuna import distributions

    if not isinstance(found, Range):
        return distributions.CategoricalDistribution([*map(flags.show, found)])
    if isinstance(found.low, int):
        return distributions.IntDistribution(found.low, int(found.high), log=found.log)
    return distributions.FloatDistribution(found.low, found.high, log=found.log)
