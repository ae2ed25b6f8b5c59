"""The trials of an Optuna study: each is one cell of a sweep, with all of its seeds.

Trial k depends on the sampler's seed, on k and on the trials that have ended before it
only. So a search with --parallel 1 that was interrupted between two trials, and then
continued, chooses the same cells as one that was not.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from experiments import flags
from experiments.flags import OverrideError
from experiments.verbs import sweep_results, sweep_runs
from experiments.verbs.sweep_arguments import Cell, Sweep
from experiments.verbs.sweep_values import Range
from launch.errors import RunDirectoryError
from launch.experiment import Experiment
from launch.runs.existing_runs import Entry, Finder


class Trials:
    """Asks a study for cells, and tells it their returns.

    Attributes:
        left: number of trials that this command runs.
        failed: numbers of those of them that have no return.
    """

    def __init__(self, sweep: Sweep, journal: Path, seed: int):
        """Loads the study, or begins it.

        Args:
            sweep: the command line.
            journal: file of the study, in a folder that the caller has locked.
            seed: of the sampler.

        Raises:
            RunDirectoryError: the journal cannot be read or written.
        """
        self._sweep = sweep
        self._seed = seed
        self._study = _load(journal)
        self._space = {path: _distribution(each) for path, each in sweep.swept.items()}
        self._finder = Finder(sweep.train.runs)
        self._in_flight: dict[int, Cell] = {}
        self._begun: set[Experiment] = set()
        self._ended: dict[Experiment, Path | None] = {}  # None: the run failed
        self._interrupted: list[FrozenTrial] = []
        for trial in self._in_state(TrialState.RUNNING):
            if self._is_whole(trial):
                self._interrupted.append(trial)
            else:  # the program was killed while it chose the values
                self._study.tell(trial.number, state=TrialState.FAIL)
        known = len(self._in_state(TrialState.COMPLETE)) + len(self._interrupted)
        self._to_ask = max((sweep.options.optuna or 0) - known, 0)
        self.left = self._to_ask + len(self._interrupted)
        self.failed: list[int] = []

    def entries(self) -> Iterator[Entry]:
        """The runs to start: of interrupted trials, of failed ones, then of new ones.

        Optuna chooses a trial when its first run is taken.
        """
        for frozen in self._interrupted:
            yield from self._begin(frozen.number, frozen.params)
        self._enqueue_failed()
        for _ in range(self._to_ask):
            self._study.sampler = _sampler(self._seed, len(self._study.trials))
            trial = self._study.ask(self._space)
            yield from self._begin(trial.number, trial.params)

    def ended(self, entry: Entry, directory: Path, succeeded: bool) -> None:
        """Notes the end of a run; tells the study the trials that it completes."""
        self._ended[entry.experiment] = directory if succeeded else None
        self._tell()

    def cells(self) -> list[Cell]:
        """The distinct cells of the trials in order, without those that are refused."""
        found: dict[str, Cell] = {}
        for trial in filter(self._is_whole, self._study.trials):
            values = self._values(trial.params)
            try:
                found.setdefault(repr(values), self._sweep.cell(values))
            except OverrideError:
                continue  # `_begin` has named it
        return list(found.values())

    def _begin(self, number: int, params: Mapping[str, Any]) -> Iterator[Entry]:
        """The runs that a trial needs; trials of the same cell share them."""
        try:
            cell = self._sweep.cell(self._values(params))
            sweep_runs.check(cell, self._sweep.train)
            cell = sweep_runs.provided(cell, self._sweep.train)
        except OverrideError as error:
            self._fail(number, str(error))
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
                self._ended[experiment] = None
                print(f"{entry.directory} is held by another process", file=sys.stderr)
            else:
                yield entry._replace(label=f"trial {number}: {cell.label}")
        self._tell()

    def _tell(self) -> None:
        """Tells the study each trial of which all runs have ended."""
        for number, cell in list(self._in_flight.items()):
            if not all(each in self._ended for each in cell.experiments):
                continue
            del self._in_flight[number]
            paths = [self._ended[each] for each in cell.experiments]
            of = sweep_results.MEASURES[self._sweep.options.measure].of
            found = [None if path is None else of(path) for path in paths]
            known = [value for value in found if value is not None]
            if len(known) == len(found) and np.isfinite(known).all():
                self._study.tell(number, float(np.mean(known)))
            else:
                self._fail(number, f"a run of cell {cell.label} has no return")

    def _fail(self, number: int, reason: str) -> None:
        print(f"trial {number} failed: {reason}", file=sys.stderr, flush=True)
        self.failed.append(number)
        self._study.tell(number, state=TrialState.FAIL)

    def _enqueue_failed(self) -> None:
        """Lets the study try again the cells that have failed and never succeeded."""
        waiting = self._in_state(TrialState.WAITING)
        known = [trial.system_attrs.get("fixed_params") for trial in waiting]
        known += [trial.params for trial in self._in_state(TrialState.COMPLETE)]
        for trial in filter(self._is_whole, self._in_state(TrialState.FAIL)):
            if trial.params not in known:
                self._study.enqueue_trial(trial.params)
                known.append(trial.params)

    def _in_state(self, state: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(states=(state,))

    def _is_whole(self, trial: FrozenTrial) -> bool:
        return trial.params.keys() == self._space.keys()

    def _values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """A trial's values by path, in the order of the command line."""
        values = {}
        for path, found in self._sweep.swept.items():
            listed = () if isinstance(found, Range) else found
            by_text = {flags.show(value): value for value in listed}
            values[path] = by_text.get(params[path], params[path])
        return values


def _load(journal: Path) -> optuna.study.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(journal))),
            study_name="sweep",
            direction="maximize",
            load_if_exists=True,
        )
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise RunDirectoryError(f"cannot read {journal}: {reason}") from error


def _sampler(seed: int, number: int) -> optuna.samplers.TPESampler:
    """The sampler of one trial."""
    [own] = np.random.SeedSequence([seed, number]).generate_state(1)
    # Parallel trials that have not ended count as bad ones: they are not chosen again.
    return optuna.samplers.TPESampler(seed=int(own), constant_liar=True)


def _distribution(found: tuple[Any, ...] | Range) -> BaseDistribution:
    if not isinstance(found, Range):
        return CategoricalDistribution([flags.show(value) for value in found])
    if isinstance(found.low, int):
        return IntDistribution(found.low, int(found.high), log=found.log)
    return FloatDistribution(found.low, found.high, log=found.log)
