"""The Atari cartridges: their names, and the modes and difficulties that they offer."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from environments.checks import InvalidSetting, check_choice

# Cartridges that need a second player.
_TWO_PLAYERS = frozenset({"combat", "joust", "maze_craze", "warlords"})


def check_game(game: str) -> None:
    """Refuses names of no game, and games that one player cannot play.

    Raises:
        InvalidSetting: the message has the right spelling, if it is near to one.
    """
    # ALE/Pong-v5 and PongNoFrameskip-v4 are names of gymnasium's.
    bare = re.sub(r"(NoFrameskip|Deterministic|-ram)*(-v\d+)?$", "", game)
    letters = re.sub(r"[^a-z0-9]", "", bare.removeprefix("ALE/").casefold())
    if letters in {name.replace("_", "") for name in _TWO_PLAYERS}:
        raise InvalidSetting(
            "environment.game",
            game,
            "a game for one player, but this cartridge is only for two or more",
        )
    for name in games():
        if name.replace("_", "") == letters and name != game:
            raise InvalidSetting("environment.game", game, f"spelt {name!r}")
    check_choice("environment.game", game, games())


@cache
def games() -> tuple[str, ...]:
    """Names of the single-player cartridges that are installed, sorted.

    Raises:
        ModuleNotFoundError: if the emulator is not installed.
    """
    # Found without importing the emulator, which would take too long for a check.
    found = find_spec("ale_py")
    if found is None or found.origin is None:
        raise ModuleNotFoundError(
            "Atari games need the package ale-py: run `make install`"
        )
    names = {path.stem for path in (Path(found.origin).parent / "roms").glob("*.bin")}
    return tuple(sorted(names - _TWO_PLAYERS))


@cache
def offered(game: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The modes and the difficulties of a game, from the emulator."""
    from ale_py import ALEInterface, LoggerMode, roms  # late, as in `games`

    rom = roms.get_rom_path(game)
    assert rom is not None, game
    ALEInterface.setLoggerMode(LoggerMode.Error)
    emulator = ALEInterface()
    emulator.loadROM(rom)
    modes, difficulties = emulator.getAvailableModes, emulator.getAvailableDifficulties
    return tuple(sorted(modes())), tuple(sorted(difficulties()))
