"""Which checkpoint is of medium quality, on evaluations written by hand."""

import re
from types import SimpleNamespace

import pytest

from launch.errors import DatasetError
from launch.experiment import Evaluation
from launch.policies import medium_checkpoint
from launch.runs import logs

EXPERIMENT = SimpleNamespace(evaluation=Evaluation(period=10))


@pytest.fixture
def run(tmp_path):
    """Makes a run with checkpoints at these steps, and these evaluations by step."""

    def make(kept, evaluations):
        for step in kept:
            (tmp_path / "checkpoints" / str(step)).mkdir(parents=True)
        log = logs.EvaluationLog(tmp_path)
        for step, returns in evaluations.items():
            log.write(step // 10 * 10, logs.Counts(step), returns, [9] * len(returns))
        log.close()
        return tmp_path

    return make


EVALUATIONS = {
    10: [0.0, 20.0],
    20: [30.0, 40.0],
    30: [43.0],
    40: [90.0, 110.0],
}


def test_the_checkpoint_nearest_to_a_third_of_the_way_is_chosen(run):
    directory = run([10, 20, 40], EVALUATIONS)
    found = medium_checkpoint.select(directory, EXPERIMENT, random_return=-20.0)
    # -20 + (100 + 20) / 3 is 20: 10 from step 10, 15 from step 20
    assert found == (10, 10.0, 20.0, 100.0, -20.0)


def test_only_kept_checkpoints_are_chosen_and_an_experts_return_may_be_given(run):
    directory = run([10, 20, 40], EVALUATIONS)
    # 0 + 129 / 3 is 43, which step 30 had
    found = medium_checkpoint.select(directory, EXPERIMENT, 0.0, expert_return=129.0)
    assert found == (20, 35.0, 43.0, 129.0, 0.0)


def test_the_last_checkpoint_is_never_chosen(run):
    directory = run([10, 40], EVALUATIONS)
    assert (
        medium_checkpoint.select(directory, EXPERIMENT, 0.0, expert_return=300.0).steps
        == 10
    )


def test_a_checkpoint_is_judged_by_the_evaluation_nearest_in_steps(run):
    directory = run([13, 26, 40], {12: [1.0], 21: [50.0], 40: [100.0]})
    found = medium_checkpoint.select(directory, EXPERIMENT, 0.0)
    assert (found.steps, found.mean_return) == (26, 50.0)
    assert (
        medium_checkpoint.select(directory, EXPERIMENT, 0.0, expert_return=3.0).steps
        == 13
    )


@pytest.mark.parametrize("kept", [[40], []])
def test_without_an_earlier_checkpoint_the_flags_are_named(run, kept):
    with pytest.raises(
        DatasetError, match=r"--checkpoint.period 10_000 --checkpoint.keep 100"
    ):
        medium_checkpoint.select(run(kept, EVALUATIONS), EXPERIMENT, 0.0)


def test_without_an_evaluation_near_the_last_an_experts_return_is_required(run):
    directory = run([10, 90], EVALUATIONS | {50: []})
    with pytest.raises(DatasetError, match=r"step 90: .*--expert_return"):
        medium_checkpoint.select(directory, EXPERIMENT, 0.0)


def test_without_an_evaluation_near_an_earlier_checkpoint_selection_is_refused(run):
    directory = run([60, 90], {10: [1.0], 90: [5.0]})
    with pytest.raises(DatasetError, match="no evaluation near any of its earlier"):
        medium_checkpoint.select(directory, EXPERIMENT, 0.0)


@pytest.mark.parametrize(
    "mean, expert, random, message",
    [
        (40.0, 100.0, 10.0, None),  # 30 of 90: a third
        (25.0, 100.0, 10.0, None),  # 15 of 90: a sixth
        (70.0, 100.0, 10.0, None),  # 60 of 90: two thirds
        (24.0, 100.0, 10.0, "gone 16 % .* from random actions': train with --ch"),
        (71.0, 100.0, 10.0, "gone 68 % .* from the expert's: train with --checkpo"),
        (0.0, 100.0, 10.0, "gone -11 % "),
        (98.0, 100.0, 95.0, "expert's return 100 hardly exceeds .* actions, 95, "),
        (98.0, 100.0, 94.0, None),  # 4 of 6, and a gap of 6 %
        (-99.0, -100.0, -95.0, "hardly exceeds"),
        (0.0, 0.0, 0.0, "hardly exceeds"),
    ],
)
def test_policies_that_hardly_differ_give_a_warning(mean, expert, random, message):
    found = medium_checkpoint.Medium(10, mean, 0.0, expert, random)
    warning = found.warning()
    if message is None:
        assert warning is None
    else:
        assert warning is not None and re.search(message, warning)
        assert warning.startswith("warning: ")
