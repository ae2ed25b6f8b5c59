"""Local runs of Catch that end before their time, and what they leave in their logs."""

import csv
import dataclasses
import json

import pytest

from launch.engines import one_thread
from launch.experiment import Checkpointing, Evaluation
from launch.runs.logs import is_wall_time
from tests.launch import small_experiments
from tests.launch.local_runs import run_local


def catch(steps, period=200, **changes):
    experiment = dataclasses.replace(
        small_experiments.catch(),
        steps=steps,
        evaluation=Evaluation(period=150, episodes=3),
        checkpoint=Checkpointing(period=period),
        log_period=70,
    )
    return dataclasses.replace(experiment, **changes)


def rows(directory, name):
    with (directory / name).open(newline="") as file:
        return [
            {key: value for key, value in row.items() if not is_wall_time(key)}
            for row in csv.DictReader(file)
        ]


def metrics(directory):
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [{k: v for k, v in row.items() if not is_wall_time(k)} for row in found]


class Killed(Exception):
    """Stands for the end of the process."""


def run_until(experiment, directory, steps, monkeypatch):
    """Runs until `steps`, and then dies without a chance to save anything."""
    act = one_thread.Local.act

    def dying(self):
        if self.counts().actor_steps >= steps:
            raise Killed
        act(self)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(one_thread.Local, "act", dying)
        run_local(experiment, directory)
