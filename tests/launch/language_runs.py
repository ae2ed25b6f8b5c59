"""Small local runs of language: sums of one digit, a decoder of width 8."""

from agents import REGISTRY
from environments import Arithmetic
from launch.experiment import Checkpointing, Evaluation, Experiment
from tests.launch.small_experiments import changed

SMALL = {
    "network.width": 8,
    "network.layers": 1,
    "network.heads": 2,
    "network.kv_heads": 1,
    "batch_size": 5,
}


def sums(**changes):
    """70 completions in batches of 5, evaluated three times, saved at 35."""
    experiment = Experiment(
        name="sft/arithmetic",
        agent_name="sft",
        agent=changed(REGISTRY["sft"].default(), SMALL),
        environment=Arithmetic(digits=1),
        steps=70,
        environments=5,
        evaluation=Evaluation(period=30, episodes=7),
        checkpoint=Checkpointing(period=35),
        log_period=15,
    )
    return changed(experiment, changes)
