"""Local runs of language: samples, measures, and resuming, bit for bit."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import sft
from launch.runs import checkpoint, logs, run_directory
from tests.launch.interrupted_runs import run_until
from tests.launch.language_runs import sums
from tests.launch.local_runs import parameters, run_local, run_new

# Points of the grid: 30, 60 and the end; lanes of 5 reach them exactly.
GRID = [30, 60, 70]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run without interruption."""
    return run_new(tmp_path_factory.mktemp("whole"), sums())


def samples(directory):
    lines = (directory / logs.SAMPLES).read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_each_completion_is_used_once(whole):
    [*_, last] = logs.read_evaluations(whole)
    assert last.counts == logs.Counts(70, 70, 14, 70)


def test_samples_are_the_evaluations_prompts_and_completions(whole):
    rows = samples(whole)
    assert [row["grid"] for row in rows] == [point for point in GRID for _ in range(7)]
    for row in rows:
        left, right = row["prompt"].removesuffix("=").split("+")
        answer = str(int(left) + int(right))[::-1]
        assert row["reference"] == answer
        assert row["reward"] == (row["completion"] == answer)
        assert (row["frames"], row["learner_steps"]) == (row["grid"], row["grid"] // 5)
    returns = [row.returns for row in logs.read_evaluations(whole)]
    assert [len(each) for each in returns] == [7, 7, 7]
    means = [np.mean([r["reward"] for r in rows if r["grid"] == g]) for g in GRID]
    assert means == pytest.approx([np.mean(each) for each in returns])


@pytest.mark.parametrize("steps", [pytest.param(20, marks=pytest.mark.slow), 55])
def test_a_run_resumed_at_a_checkpoint_equals_one_without_interruption(
    steps, whole, tmp_path, monkeypatch, untimed
):
    directory = run_directory.create(tmp_path, sums())
    run_until(sums(), directory, steps, monkeypatch)
    saved = checkpoint.newest(directory) if steps > 35 else None
    run_local(sums(), directory, saved)
    assert untimed(directory) == untimed(whole)
    assert samples(directory) == samples(whole)
    pairs = zip(
        jax.tree.leaves(parameters(directory)),
        jax.tree.leaves(parameters(whole)),
        strict=True,
    )
    for mine, other in pairs:
        np.testing.assert_array_equal(mine, other)


def test_the_agents_measure_is_written_with_the_evaluation(
    tmp_path, monkeypatch, untimed, whole
):
    build = sft.agent
    shapes = []

    def measured(config, spec):
        def measure(params, key, observation):
            shapes.append(observation.shape)
            assert set(params) == {"policy"}
            return {"prompt_length": jnp.sum(observation[:, :4] > 0) / 7}

        return build(config, spec)._replace(measure=measure)

    monkeypatch.setattr(sft, "agent", measured)
    directory = run_new(tmp_path, sums())
    rows = untimed(directory)["metrics.jsonl"]
    found = [row for row in rows if row["role"] == "evaluator"]
    assert [row["actor_steps"] for row in found] == GRID
    # Each prompt is a+b=: four tokens.
    assert [row["prompt_length"] for row in found] == [4.0, 4.0, 4.0]
    assert set(shapes) == {(7, 7)}, "seven lanes of 4 + 3 columns"
    # The run is otherwise the same.
    assert untimed(directory)["evaluations.csv"] == untimed(whole)["evaluations.csv"]
    assert samples(directory) == samples(whole)
