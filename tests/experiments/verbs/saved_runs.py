"""Runs that have saved their first parameters, which verbs then play."""

import jax

import environments
from experiments import cli, flags
from experiments.catalogue.experiments import EXPERIMENTS
from launch.build import make_agent, make_spec
from launch.runs import checkpoint_saving, logs, run_directory

SMALL = {
    "mdqn/catch": {"agent.network.hidden": (16,), "environment.rows": 6},
    "mdqn/cartpole": {"agent.network.hidden": (16,)},
    "mdqn/pong-cpu": {"agent.network.hidden": (16,)},
}


def make_run(root, name):
    """The directory of a run that has saved its first parameters."""
    experiment = flags.replace(EXPERIMENTS[name], SMALL[name])
    environment = environments.make(experiment.environment, 1, 0)
    agent = make_agent(experiment, make_spec(environment))
    environment.close()
    directory = run_directory.create(root, experiment)
    state = agent.init(jax.random.key(0))
    checkpoint_saving.save(
        directory, logs.Counts(7), state, extra={}, replay=None, keep=1
    )
    return directory


def record(run, *flags):
    return cli.main(["record", str(run), *flags])
