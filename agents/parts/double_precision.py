"""Computes in float64 where float32 is not exact enough, such as on tables."""

from contextlib import AbstractContextManager
from typing import Any

import jax


def double_precision(wanted: bool = True) -> AbstractContextManager[Any]:
    """Context manager: new arrays of this thread are float64 and int64 meanwhile.

    Args:
        wanted: False for float32 and int32.
    """
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(wanted)
    from jax import experimental  # JAX 0.6, of CPython 3.10

    return experimental.enable_x64(wanted)
