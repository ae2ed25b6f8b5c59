"""Names on command lines of `train`."""

import pytest

from experiments.flags import OverrideError
from experiments.names import EXPERIMENTS, FIGURES
from experiments.verbs import train_names


@pytest.mark.parametrize(
    "line, known",
    [
        ("--seed 3 mdqn/catch --steps=7", EXPERIMENTS["mdqn/catch"]),
        ("leverage/cartpole --seeds 2", FIGURES["leverage/cartpole"]),
    ],
)
def test_a_name_is_found_among_flags(line, known):
    assert train_names.find_named(line.split()) is known


def test_values_of_flags_are_no_names():
    line = "a --b c --d=e f"
    assert train_names.plain(line.split()) == ["a", "f"]


@pytest.mark.parametrize(
    "name, said",
    [
        ("", "name an experiment first, such as mdqn/cartpole"),
        (
            "sac/Pendulum-v1",
            "unknown experiment 'sac/Pendulum-v1'; for any environment of Gymnasium or "
            "of yours use sac/gymnasium --environment.id Pendulum-v1",
        ),
        (
            "mdqn/my_envs:Corridor-v0",
            "unknown experiment 'mdqn/my_envs:Corridor-v0'; for any environment of "
            "Gymnasium or of yours use mdqn/gymnasium --environment.id "
            "my_envs:Corridor-v0",
        ),
        ("mdqn/cach", "unknown experiment 'mdqn/cach'; did you mean 'mdqn/catch'?"),
        (
            "of_my_own/catch",
            "unknown experiment 'of_my_own/catch'; `munchausen list catch` prints the "
            "names with catch; an agent of yours needs --plugin MODULE",
        ),
        ("xx", "unknown experiment 'xx'; `munchausen list` prints what there is"),
    ],
)
def test_what_names_nothing_gets_a_remedy(name, said):
    with pytest.raises(OverrideError) as caught:
        train_names.find_named(name.split())
    assert str(caught.value) == said
