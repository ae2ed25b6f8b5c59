"""A local run hands the extras of its policy to its update."""

import json

import jax.numpy as jnp
import pytest

from launch import build
from launch.engines import one_thread
from tests.launch.local_runs import run_new
from tests.launch.replay.made_up_extras import acting, extras_of, hash_of


@pytest.mark.parametrize("n_step", [1, 3])
def test_the_update_of_a_run_sees_the_extras(catch, tmp_path, monkeypatch, n_step):
    made = build.make_stages

    def make(experiment, spec):
        [stage] = made(experiment, spec)
        plain = stage.agent

        def update(state, batch):
            state, metrics = plain.update(state, batch)
            wanted = extras_of(hash_of(batch.observation), batch.action)
            wrong = sum(
                jnp.sum(jnp.abs(got - leaf))
                for got, leaf in zip(batch.extras, wanted, strict=True)
            )
            seen = jnp.mean(batch.extras.log_prob)
            return state, {**metrics, "wrong": wrong, "seen": seen}

        extended = acting(
            plain, lambda seen, actions: extras_of(hash_of(seen), actions)
        )
        return [stage._replace(agent=extended._replace(update=update))]

    monkeypatch.setattr(one_thread, "make_stages", make)
    settings = {"environments": 3, "agent.storage.min_size": 50, "log_period": 50}
    experiment = catch(settings | {"agent.storage.n_step": n_step})
    directory = run_new(tmp_path, experiment)
    rows = learner_rows(directory)
    assert len(rows) > 2
    assert all(row["wrong"] == 0.0 and row["seen"] < -1.0 for row in rows)


def learner_rows(directory):
    """Rows of the log that have the learner's metrics."""
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if "wrong" in row]
