"""Two programs of threads, one after the other; the second waits to be stopped.

The first ends by itself when its coordinator does. Every role prints when it ends.
"""

import sys

from absl import flags

from launch import errors
from launch.engines import launchpad_engine
from launch.engines.program import Node


class Role:
    """Waits for its stop, unless it ends the program at once."""

    def __init__(self, context, ends):
        self._context = context
        self._ends = ends

    def run(self):
        if not self._ends:
            if self._context.name == "coordinator":
                print("waiting", flush=True)
            self._context.stop.wait()
        print("ended", self._context.name, flush=True)


def play(ends):
    nodes = [
        Node("actor", make=lambda run, context: Role(context, False), stops=0),
        Node(
            "coordinator",
            make=lambda run, context: Role(context, ends),
            stops=1,
            finishes=True,
        ),
    ]
    launchpad_engine.run_threads(None, nodes)


if __name__ == "__main__":
    flags.FLAGS(sys.argv[:1])
    play(ends=True)
    try:
        play(ends=False)
    except errors.Interrupted as error:
        sys.exit(128 + error.signal)
