"""The names that the command line knows."""

import subprocess
import sys


def test_looking_up_an_experiment_imports_no_other():
    code = (
        "import sys; from experiments.names import EXPERIMENTS;"
        "assert 'dqn/pnog' not in EXPERIMENTS and 'mdqn/pong' in EXPERIMENTS;"
        "EXPERIMENTS['dqn/catch'];"
        "kinds = ('agents.', 'environments.', 'experiments.papers.');"
        "parts = ('agents.parts', 'environments.vector', 'environments.checks',"
        " 'environments.keywords');"
        "print(sorted(m for m in sys.modules"
        " if m.startswith(kinds) and not m.startswith(parts)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['agents.dqn', 'environments.catch']"
