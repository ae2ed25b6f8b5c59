"""Local runs through the command line import what they need, and no server."""


def test_a_local_run_imports_no_server(command):
    code = """
import sys
from experiments import cli
line = "train mdqn/catch --steps 300 --evaluation.period 150 --agent.network.hidden 8"
assert cli.main(line.split()) == 0
heavy = {"tensorflow", "reverb", "launchpad", "courier", "acme", "gymnasium", "ale_py"}
print("imported:", sorted(heavy & sys.modules.keys()))
"""
    code, out, err = command.start("-c", code).wait()
    assert code == 0, err
    assert out.splitlines()[-1] == "imported: []"
    assert not command.alive()
