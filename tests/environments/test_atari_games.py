"""Names of Atari games as people write them, and what a cartridge offers."""

import pytest

from environments import atari_games
from environments.checks import InvalidSetting


@pytest.mark.parametrize(
    "name, game",
    [
        ("ALE/Pong-v5", "pong"),
        ("Pong", "pong"),
        ("PongNoFrameskip-v4", "pong"),
        ("Pong-ramDeterministic-v0", "pong"),
        ("SpaceInvaders", "space_invaders"),
        ("space-invaders", "space_invaders"),
        ("Ms Pacman", "ms_pacman"),
        ("mspacman", "ms_pacman"),
    ],
)
def test_other_spellings_name_the_right_one(name, game):
    with pytest.raises(InvalidSetting) as caught:
        atari_games.check_game(name)
    message = f"environment.game must be spelt {game!r}, got {name!r}"
    assert str(caught.value) == message
    atari_games.check_game(game)


@pytest.mark.parametrize("name", ["combat", "ALE/MazeCraze-v5", "Joust", "warlords"])
def test_cartridges_for_two_say_so(name):
    with pytest.raises(InvalidSetting, match="this cartridge is only for two or more"):
        atari_games.check_game(name)


def test_an_unknown_game_gets_the_nearest():
    with pytest.raises(InvalidSetting, match="'breakout'"):
        atari_games.check_game("breakuot")


def test_modes_and_difficulties_are_those_of_the_cartridge():
    assert atari_games.offered("pong") == ((0, 1), (0, 1, 2, 3))
    modes, difficulties = atari_games.offered("breakout")
    assert modes == (*range(0, 45, 4),) and difficulties == (0, 1)
