"""The library with which MuJoCo draws: MUJOCO_GL names it, MuJoCo's import loads it."""

import os
import warnings
from ctypes.util import find_library

# Values of MUJOCO_GL: the library that draws, and the Debian package that has it.
_LIBRARIES = {
    "egl": ("EGL", "libegl1"),
    "osmesa": ("OSMesa", "libosmesa6"),
    "glfw": ("GL", "libgl1"),  # on a screen
}
_OFF = ("off", "disable", "disabled", "false", "0")
_ON = ("on", "enable", "enabled", "true", "1")  # MuJoCo chooses


def check() -> None:
    """Refuses a MUJOCO_GL with which MuJoCo cannot be imported.

    Raises:
        ValueError: no such library is known or installed; names package and variable.
    """
    means = _means()
    if means in _LIBRARIES:
        _check_library(means)
    elif means not in ("", *_OFF, *_ON):
        known = ", ".join([*_LIBRARIES, "off"])
        raise ValueError(f"MUJOCO_GL must be one of {known}, got {means!r}")


def prepare_drawing() -> None:
    """Sets MUJOCO_GL for drawing: to its own value, or to EGL if it has none.

    MuJoCo reads it during its import, and fails with a traceback from PyOpenGL.

    Raises:
        ValueError: MuJoCo cannot draw this way; names package and variable.
    """
    means = _means() or "egl"
    if means not in _LIBRARIES:
        raise ValueError(
            f"MUJOCO_GL must be one of {', '.join(_LIBRARIES)} to draw MuJoCo, "
            f"got {means!r}"
        )
    _check_library(means)
    if means == "glfw" and not _has_screen():
        raise ValueError(
            "drawing MuJoCo with glfw needs a screen, and DISPLAY names none that "
            "works: set MUJOCO_GL to egl or osmesa"
        )
    os.environ["MUJOCO_GL"] = means


def _means() -> str:
    return os.environ.get("MUJOCO_GL", "").strip().lower()


def _check_library(means: str) -> None:
    library, package = _LIBRARIES[means]
    if not find_library(library):
        others = " or ".join(other for other in _LIBRARIES if other != means)
        raise ValueError(
            f"drawing MuJoCo with {means} needs the library {library}: install "
            f"{package}, or set MUJOCO_GL to {others}"
        )


def _has_screen() -> bool:
    import glfw

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where it fails
        return bool(glfw.init())
