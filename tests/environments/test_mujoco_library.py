"""MUJOCO_GL: which library draws, and what is missing."""

import pytest

import environments
from environments import mujoco_library
from tests.environments.dm_control_installed import needs_dm_control


@pytest.mark.parametrize(
    "means, complaint",
    [
        (None, "with egl needs the library EGL: install libegl1, or set MUJOCO_GL to"),
        ("", "with egl needs the library EGL: install libegl1"),
        ("osmesa", "with osmesa needs the library OSMesa: install libosmesa6"),
        ("off", "MUJOCO_GL must be one of egl, osmesa, glfw to draw MuJoCo, got 'off'"),
    ],
)
def test_mujoco_without_a_renderer_suggests_a_fix(monkeypatch, means, complaint):
    monkeypatch.setattr(mujoco_library, "find_library", lambda name: None)
    if means is None:
        monkeypatch.delenv("MUJOCO_GL", raising=False)
    else:
        monkeypatch.setenv("MUJOCO_GL", means)
    with pytest.raises(ValueError, match=complaint):
        environments.make_rendered(environments.Locomotion(), 0)


@pytest.mark.parametrize(
    "config",
    [
        environments.Locomotion(),
        environments.Adroit(),
        pytest.param(environments.ControlSuite(), marks=needs_dm_control),
    ],
    ids=lambda config: type(config).__name__,
)
def test_a_missing_library_is_named_before_mujoco_is_imported(monkeypatch, config):
    monkeypatch.setattr(mujoco_library, "find_library", lambda name: None)
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    from environments import control_suite

    control_suite._suite.cache_clear()
    with pytest.raises(ValueError) as refused:
        environments.make(config, 1, seed=0)
    assert str(refused.value) == (
        "drawing MuJoCo with osmesa needs the library OSMesa: install libosmesa6, or "
        "set MUJOCO_GL to egl or glfw"
    )


def test_an_unknown_library_is_refused_and_off_is_enough_without_pictures(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "vulkan")
    with pytest.raises(ValueError, match="one of egl, osmesa, glfw, off, got 'vulkan'"):
        mujoco_library.check()
    for enough in ("", "off", "Disabled", "0"):
        monkeypatch.setenv("MUJOCO_GL", enough)
        mujoco_library.check()


@pytest.mark.parametrize("display", [None, ":97"])
def test_glfw_without_a_screen_suggests_another_library(monkeypatch, display):
    monkeypatch.setattr(mujoco_library, "find_library", lambda name: name)
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", display)  # of no server
    with pytest.raises(ValueError, match=r"glfw needs a screen.* MUJOCO_GL to egl"):
        mujoco_library.prepare_drawing()
