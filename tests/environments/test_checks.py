"""Checks of environments' settings, and their messages."""

import pytest

from environments.checks import InvalidSetting, check_choice


def test_the_message_has_the_condition_and_the_value():
    error = InvalidSetting("environment.sticky", 1.0, "at least 2")
    assert str(error) == "environment.sticky must be at least 2, got 1"
    assert error.message("--x") == "--x must be at least 2, got 1"


def test_a_choice_passes_and_an_unknown_value_gets_the_nearest():
    check_choice("environment.game", "pong", ["pong", "breakout"])
    with pytest.raises(InvalidSetting) as refused:
        check_choice("environment.game", "Brakeout", ["pong", "breakout"])
    assert str(refused.value) == (
        "environment.game must be one of pong, breakout (nearest: 'breakout'), "
        "got 'Brakeout'"
    )


def test_many_choices_are_counted_instead_of_listed():
    names = [f"game{i}" for i in range(11)]
    with pytest.raises(InvalidSetting, match=r"one of 11 names \(nearest: 'game7'\)"):
        check_choice("environment.game", "gam7", names)
