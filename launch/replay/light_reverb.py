"""Makes `import reverb` import Reverb without TensorFlow.

The package `reverb` imports TensorFlow, which costs a process 200 MB and three seconds
of a core. Only Reverb's datasets need it. Clients, writers and servers are a C++
library, which needs TensorFlow's small library alone, as Courier does, and Python
modules that use a few of TensorFlow's names in annotations.

Reverb has no switch for this. After `install`, the package `reverb` has the names of
`_NAMES` only. While their modules are imported, stand-ins take TensorFlow's place; a
later `import tensorflow` imports TensorFlow itself.
"""

import contextlib
import ctypes
import importlib
import sys
import types
from collections.abc import Iterator, Sequence
from importlib import abc, util
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

_LIBRARY = "libtensorflow_framework.so.2"
# The names of Reverb's package that need no TensorFlow, by the modules they are from;
# None: the module itself.
_NAMES: dict[str, tuple[str, str | None]] = {
    "Client": ("reverb.client", "Client"),
    "Server": ("reverb.server", "Server"),
    "Table": ("reverb.server", "Table"),
    "checkpointers": ("reverb.platform.default.checkpointers", None),
    "errors": ("reverb.errors", None),
    "rate_limiters": ("reverb.rate_limiters", None),
    "selectors": ("reverb.item_selectors", None),
    "structured_writer": ("reverb.structured_writer", None),
}


class _Unused:
    """Stands for a class of TensorFlow in annotations."""


def _stand_ins() -> dict[str, dict[str, Any]]:
    """The contents of the modules of TensorFlow that Reverb's modules import."""
    return {
        "tensorflow.compat": {},
        "tensorflow.compat.v1": {"Tensor": _Unused, "TensorSpec": _Unused},
        "tensorflow.python": {},
        "tensorflow.python.framework": {},
        "tensorflow.python.framework.tensor_shape": {},
        "tensorflow.python.framework.tensor_spec": {"TensorSpec": _Unused},
        "tensorflow.python.saved_model": {},
        # A client decodes the signatures of tables, which we do not read.
        "tensorflow.python.saved_model.nested_structure_coder": {
            "decode_proto": lambda message: message
        },
    }


class _Light(abc.MetaPathFinder, abc.Loader):
    """Finds and loads Reverb's package in place of the package's `__init__`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        """The package `reverb`; None for every other module."""
        if name != "reverb":
            return None
        found = PathFinder.find_spec(name)
        if found is not None:
            found.loader = self
        return found

    def create_module(self, spec: ModuleSpec) -> None:
        """None: an ordinary module."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Imports the modules that `_NAMES` lists, and gives the package its names."""
        with _standing_in():
            for name, (source, attribute) in _NAMES.items():
                found: Any = importlib.import_module(source)
                vars(module)[name] = getattr(found, attribute) if attribute else found


_LIGHT = _Light()


def install() -> None:
    """Makes this process import Reverb without TensorFlow, if it has neither yet."""
    if (
        _LIGHT not in sys.meta_path
        and not {"reverb", "tensorflow"} & sys.modules.keys()
    ):
        sys.meta_path.insert(0, _LIGHT)


def remove() -> None:
    """Makes this process import all of Reverb from now on, with TensorFlow."""
    if _LIGHT in sys.meta_path:
        sys.meta_path.remove(_LIGHT)
        _forget("reverb")


@contextlib.contextmanager
def _standing_in() -> Iterator[None]:
    """Context manager: `tensorflow` has its messages and the stand-ins, no more."""
    spec = util.find_spec("tensorflow")
    if spec is None or spec.origin is None:
        raise ImportError("Reverb needs the package tensorflow-cpu, found none")
    ctypes.CDLL(str(Path(spec.origin).with_name(_LIBRARY)))
    # Not executed: it only leads to the modules with TensorFlow's messages.
    package = util.module_from_spec(spec)
    modules = {"tensorflow": package}
    for name, contents in _stand_ins().items():
        modules[name] = types.ModuleType(name)
        vars(modules[name]).update(contents)
    vars(package)["__version__"] = "none"
    sys.modules.update(modules)
    try:
        yield
    finally:
        _forget("tensorflow")


def _forget(package: str) -> None:
    """Makes a package, which others may still use, be imported anew."""
    for name in list(sys.modules):
        if name == package or name.startswith(f"{package}."):
            del sys.modules[name]
