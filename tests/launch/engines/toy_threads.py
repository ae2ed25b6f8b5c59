"""Two programs of threads, one after the other; the second waits to be stopped.

The first ends by itself when its coordinator does. Every role prints when it ends. With
the argument `fails`, the learner of a single program cannot be built; after that, the
seconds to the next alarm are printed.
"""

import os
import signal
import sys
from types import SimpleNamespace

from absl import flags

from launch import errors
from launch.engines import launchpad_engine
from launch.engines.program import Node


def say(line):
    """In one write: `print` of two threads at once may mix or lose what they print."""
    os.write(1, f"{line}\n".encode())


class Role:
    """Waits for its stop, unless it ends the program at once."""

    def __init__(self, context, ends):
        self._context = context
        self._ends = ends

    def run(self):
        if not self._ends:
            if self._context.name == "coordinator":
                say("waiting")
            self._context.stop.wait()
        say(f"ended {self._context.name}")


def fail(run, context):
    raise KeyError("no learner")


def play(ends, further=()):
    nodes = [
        Node("actor", make=lambda run, context: Role(context, False), stops=0),
        *further,
        Node(
            "coordinator",
            make=lambda run, context: Role(context, ends),
            stops=2,
            finishes=True,
        ),
    ]
    launchpad_engine.run_threads(SimpleNamespace(experiment=None), nodes)


if __name__ == "__main__":
    flags.FLAGS(sys.argv[:1])
    if sys.argv[1:] == ["fails"]:
        try:
            play(ends=False, further=[Node("learner", fail, stops=1, patience=300.0)])
        finally:
            say(f"alarm in {signal.alarm(0)}")
    play(ends=True)
    try:
        play(ends=False)
    except errors.Interrupted as error:
        sys.exit(128 + error.signal)
