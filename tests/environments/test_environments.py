"""Importing and checking a config is cheap; only building an environment is not."""

import subprocess
import sys

import pytest

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


def test_a_config_imports_its_own_environment_and_no_other():
    code = (
        "import sys, environments as e; e.make(e.Catch(), 1, seed=0);"
        "print(sorted(set(e.KINDS.values()) & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['environments.catch']"


@pytest.mark.parametrize("kind", environments.KINDS)
def test_every_kind_is_named_for_its_config(kind):
    cls = environments.config_class(kind)
    assert getattr(environments, kind) is cls
    assert (cls.__name__, cls.__module__) == (kind, environments.KINDS[kind])
    assert kind in environments.__all__


def test_an_unknown_kind_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="got 'Clasic'; did you mean 'Classic'"):
        environments.config_class("Clasic")
    with pytest.raises(AttributeError, match="no attribute 'Clasic'"):
        environments.Clasic  # noqa: B018


def test_configs_compare_and_hash_by_value():
    assert environments.Atari() == environments.Atari("pong", "dopamine")
    assert environments.MinAtar() == environments.MinAtar("asterix", 0.1, True)
    assert environments.Catch() == environments.Catch(rows=10, columns=5)
    assert hash(environments.Classic()) == hash(environments.Classic("CartPole-v1"))
