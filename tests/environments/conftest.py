"""Imports that warn, made before warnings are errors."""

import warnings

with warnings.catch_warnings():
    # Raised inside Box2D's C start-up code, as an error the warning ends the process.
    warnings.filterwarnings("ignore", "builtin type", DeprecationWarning)
    import Box2D  # noqa: F401
