"""Importing and checking a config is cheap; only building an environment is not."""

import subprocess
import sys

import environments


def test_import_builds_nothing():
    code = (
        "import sys, environments as e; e.Atari('pong'), e.MinAtar();"
        "e.Classic(), e.Catch(), e.Maze();"
        "e.Locomotion(), e.ControlSuite(), e.Adroit();"
        "heavy = {'gymnasium', 'ale_py', 'jax', 'Box2D', 'minatar', 'matplotlib',"
        "'mujoco', 'dm_control', 'gymnasium_robotics'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_configs_are_values():
    assert environments.Atari() == environments.Atari("pong", "dopamine")
    assert environments.MinAtar() == environments.MinAtar("asterix", 0.1, True)
    assert environments.Catch() == environments.Catch(rows=10, columns=5)
    assert hash(environments.Classic()) == hash(environments.Classic("CartPole-v1"))
