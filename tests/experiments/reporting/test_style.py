"""Colours and dashes distinguish lines."""

from experiments.reporting.style import DASHES, INK, LINE, PALETTE


def luminance(colour):
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_are_different_and_so_are_dashes():
    assert len(set(PALETTE)) == len(PALETTE) == 7
    assert len(set(DASHES)) == len(DASHES) and DASHES[0] == ()


def test_text_is_dark_and_the_grid_is_light():
    assert luminance(INK) < 0.2 and luminance(LINE) > 0.8
    assert all(0.1 < luminance(colour) < 0.7 for colour in PALETTE)
