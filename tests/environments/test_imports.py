"""Importing and checking a config is cheap; only building an environment is not."""

import subprocess
import sys

import environments


def test_import_builds_nothing():
    code = (
        "import sys, environments as e; e.Atari('pong'), e.Classic(), e.Catch();"
        "e.Locomotion(), e.ControlSuite(), e.Adroit();"
        "heavy = {'gymnasium', 'ale_py', 'jax', 'Box2D', 'mujoco', 'dm_control'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_configs_are_values():
    assert environments.Atari() == environments.Atari("pong", "dopamine")
    assert environments.Catch() == environments.Catch(rows=10, columns=5)
    assert hash(environments.Classic()) == hash(environments.Classic("CartPole-v1"))
