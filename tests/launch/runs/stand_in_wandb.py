"""A module that stands in for the package wandb."""

import sys
import types

from launch.runs import dashboards


class Error(Exception):
    """The library's base exception."""


class Library(types.ModuleType):
    """Stands in for the package wandb; records its calls."""

    Error = Error

    def __init__(self):
        super().__init__("wandb")
        self.calls, self.ids = [], iter(["first", "second"])
        self.util = types.SimpleNamespace(generate_id=lambda: next(self.ids))
        self.api = types.SimpleNamespace(api_key=None)
        self.failure = None
        self.__spec__ = types.SimpleNamespace(name="wandb")

    def Settings(self, **settings):
        return settings

    def init(self, **arguments):
        if self.failure is not None:
            raise self.failure
        self.calls.append(("init", arguments))
        return self

    def define_metric(self, *arguments, **options):
        self.calls.append(("define_metric", arguments, options))

    def log(self, row):
        self.calls.append(("log", row))

    def finish(self):
        self.calls.append(("finish",))


def install(monkeypatch):
    """Makes `import wandb` find the stand-in; returns the stand-in."""
    stand_in = Library()
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    for name in ("ERROR_REPORTING", "SILENT"):
        monkeypatch.setenv(f"WANDB_{name}", "true")
    return stand_in


def remove(monkeypatch):
    """Makes `import wandb` fail."""
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setattr(dashboards.importlib.util, "find_spec", lambda name: None)
