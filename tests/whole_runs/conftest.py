"""Small experiments, and the command line with every process that it starts."""

import pytest

from tests import commands
from tests.launch import small_experiments


class Command(commands.Command):
    """A command that may be `munchausen`."""

    def munchausen(self, line):
        return self.start("-m", "experiments.cli", *line.split())


@pytest.fixture
def command(tmp_path):
    """A command in the test's directory; whatever is left of it is killed."""
    command = Command(tmp_path.resolve())
    yield command
    command.clean_up()


@pytest.fixture(scope="session")
def catch():
    """Makes Catch experiments of 300 steps; takes settings by their paths."""
    return small_experiments.small_catch
