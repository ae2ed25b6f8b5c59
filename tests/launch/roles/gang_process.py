"""A learner of several as a process: `... RANK RANKS PORT RESULT MODE [AGENT]`.

In mode `equal`, it trains AGENT on batches that do not depend on the number of
learners, and rank 0 writes the state to RESULT.
"""

import os
import signal
import sys
import threading

import jax
import numpy as np

import agents
from agents.parts.contract import Transition, discrete_spec
from launch import errors
from launch.roles import gang
from launch.roles.learner import Learner
from tests.launch.small_experiments import changed

UPDATES, BATCH = 20, 12
DISCRETE = discrete_spec((7,), np.float32, 3)
BOX = DISCRETE._replace(num_actions=0, action=jax.ShapeDtypeStruct((2,), np.float32))


class Context:
    """The context of a learner whose first one listens on a port."""

    def __init__(self, rank, port):
        self.index, self._port = rank, port
        self.stop = threading.Event()

    def address(self, role, index=0):
        assert (role, index) == ("learner", 0)
        return f"localhost:{self._port}"


def make_agent(name):
    small = {"network.torso": "mlp", "network.hidden": (5, 11)}
    small |= {"storage.batch_size": BATCH, "storage.min_size": BATCH}
    config = changed(agents.REGISTRY[name].default(), small)
    return agents.REGISTRY[name].agent(config, BOX if name == "sac" else DISCRETE)


class Part:
    """The rows of one rank of batches that are equal in all ranks, until they end."""

    shared = None

    def __init__(self, name, rank, ranks, ends=10**9):
        self._box = name == "sac"
        self._random = np.random.default_rng(3)
        self._rows = slice(rank * BATCH // ranks, (rank + 1) * BATCH // ranks)
        self._left = ends

    def next(self):
        if not self._left:
            raise StopIteration
        self._left -= 1
        random = self._random
        observation, next_observation = random.normal(size=(2, BATCH, 7))
        boxed = random.uniform(-1, 1, (BATCH, 2)).astype(np.float32)
        discrete = random.integers(0, 3, BATCH).astype(np.int32)
        batch = Transition(
            observation.astype(np.float32),
            boxed if self._box else discrete,
            random.normal(size=BATCH).astype(np.float32),
            random.integers(0, 2, BATCH).astype(np.float32),
            next_observation.astype(np.float32),
        )
        return jax.tree.map(lambda column: column[self._rows], batch)

    def empty(self):
        rows = self._rows.stop - self._rows.start
        one = Part("sac" if self._box else "dqn", 0, 1).next()
        return jax.tree.map(
            lambda column: np.zeros((rows, *column.shape[1:]), column.dtype), one
        )

    def read(self, batch, shared):
        return batch


def plain(learner):
    """The leaves of its state as numpy arrays."""
    state = learner.save()
    state = state._replace(key=jax.random.key_data(state.key))
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def train(name, rank, ranks):
    learner = Learner(make_agent(name), 5, Part(name, rank, ranks))
    learner.run(UPDATES)
    return learner


def main(rank, ranks, port, result, mode, name="dqn"):
    gang.join(Context(rank, port), ranks)
    assert jax.process_count() == ranks
    assert len(jax.devices()) == ranks * jax.local_device_count()
    if mode == "equal":
        leaves = plain(train(name, rank, ranks))
        if rank == 0:
            np.savez(result, *leaves)
        gang.leave()
    elif mode == "ends":
        source = Part("dqn", rank, ranks, 20 if rank == 0 else 13)
        learner = Learner(make_agent("dqn"), 5, source)
        try:
            learner.run(UPDATES)
        except StopIteration:
            print(learner.learner_steps, int(learner.save().steps))
        gang.leave()
    else:
        die(rank, mode)


def die(rank, mode):
    """All learn for ever; rank 1 dies, or hangs, in the middle of it."""
    learner = Learner(make_agent("dqn"), 5, Part("dqn", rank, 2))
    learner.run(3)
    print("begins", flush=True)
    if rank == 1:
        os.kill(os.getpid(), signal.SIGSTOP if mode == "hang" else signal.SIGKILL)
    try:
        with gang.whole():
            while gang.agree(5):
                learner.run(5)
    except errors.RankLost as error:
        print(error, flush=True)
        os._exit(1)


if __name__ == "__main__":
    rank, ranks, port, *rest = sys.argv[1:]
    main(int(rank), int(ranks), int(port), *rest)
