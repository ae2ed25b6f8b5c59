"""Constructors of users' environments: found and called, or refused in one line."""

import sys

import dm_env
import gymnasium
import pytest

from environments import own_constructors
from environments.checks import EnvironmentFailed


@pytest.mark.parametrize(
    "name, kwargs, kind",
    [
        ("CartPole-v1", {}, gymnasium.Env),
        ("stranger_envs:stranger/Corridor-v3", {"length": 5}, gymnasium.Env),
        ("stranger_envs:make_tank", {"steps": 7}, gymnasium.Env),
        ("stranger_envs:Swing", {"steps": 2}, dm_env.Environment),
    ],
)
def test_ids_functions_and_classes_are_constructed(name, kwargs, kind, strangers):
    made = own_constructors.construct(name, kwargs, seed=3)
    assert isinstance(made, kind)
    for argument, value in kwargs.items():
        own = getattr(made, "unwrapped", made)
        assert getattr(own, argument) == value
    made.close()


def test_a_constructor_with_a_seed_gets_that_of_its_lane(strangers):
    levels = [
        own_constructors.construct("stranger_envs:make_tank", {}, seed).reset()[0][1, 0]
        for seed in (3, 3, 4)
    ]
    assert levels[0] == levels[1] != levels[2]


def test_a_time_limit_replaces_the_registered_one(strangers):
    made = own_constructors.construct("stranger_envs:Lights-v0", {}, 0, episode_steps=5)
    made.reset(seed=0)
    assert [made.step(0)[3] for _ in range(5)] == [False] * 4 + [True]


@pytest.mark.parametrize(
    "name, kwargs, said",
    [
        ("", {}, "environment.id must name an environment, such as Pendulum-v1, "),
        ("nowhere:X-v0", {}, "nowhere:X-v0: there is no module nowhere: it must be "),
        ("stranger_envs.py:Tank", {}, "leave out .py: stranger_envs:Tank"),
        (
            "Pendulm-v1",
            {},
            "Did you mean: `Pendulum`?; if a module of yours ",
        ),
        (
            "ALE/Breakout-v99",
            {},
            "; Atari games are tasks with a paper's protocol, such as dqn/breakout; "
            "Gymnasium's are --environment.id ale_py:ALE/Breakout-v99",
        ),
        (
            "stranger_envs:Nothing",
            {},
            "module stranger_envs has neither a function nor a class named Nothing",
        ),
        (
            "stranger_envs:make_tank",
            {"size": 3},
            "cannot be made with size: TypeError: make_tank() got an unexpected ",
        ),
        ("CartPole-v1", {"size": 3}, "CartPole-v1 cannot be made with size: TypeError"),
        (
            "json:dumps",
            {"obj": 1},
            "json:dumps must return a gymnasium.Env or a ",
        ),
    ],
)
def test_failures_are_one_line(name, kwargs, said, strangers):
    with pytest.raises(EnvironmentFailed) as caught:
        own_constructors.construct(name, kwargs, seed=0)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_module_that_fails_names_its_file_and_line(tmp_path, monkeypatch):
    (tmp_path / "faulty_module.py").write_text("\n1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EnvironmentFailed) as caught:
        own_constructors.construct("faulty_module:make", {}, seed=0)
    place = tmp_path / "faulty_module.py"
    assert str(caught.value) == (
        "faulty_module:make: importing faulty_module failed: ZeroDivisionError: "
        f"division by zero ({place}, line 2)"
    )


@pytest.mark.parametrize(
    "code, said",
    [
        ("raise SystemExit(3)", "importing leaver failed: SystemExit: 3"),
        ("def make(): raise SystemExit", "leaver:make cannot be made: SystemExit"),
        (
            "import gymnasium\ndef make(): raise SystemExit('bye')\n"
            "gymnasium.register('make', make)\ndel make",
            "leaver:make cannot be made: SystemExit: bye",
        ),
    ],
)
def test_code_that_leaves_the_program_is_named(code, said, tmp_path, monkeypatch):
    (tmp_path / "leaver.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "leaver", raising=False)
    with pytest.raises(EnvironmentFailed, match=said):
        own_constructors.construct("leaver:make", {}, seed=0)


def test_an_environment_of_the_retired_gym_is_named(tmp_path, monkeypatch):
    (tmp_path / "gym.py").write_text("class Env: pass\n")
    (tmp_path / "retired.py").write_text("import gym\nclass Old(gym.Env): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EnvironmentFailed, match="of the retired package gym: derive"):
        own_constructors.construct("retired:Old", {}, seed=0)
