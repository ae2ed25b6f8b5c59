"""`train --isolate`: the run's process moves into a private network, first of all.

That must happen before a library makes threads, hence before the command line is read
as a whole.
"""

from collections.abc import Sequence

from experiments import flags
from experiments.flags import Field, OverrideError

_FLAG = {"isolate": Field("isolate", bool, False, "")}


def begin(arguments: Sequence[str]) -> None:
    """Isolates this process if the arguments of `train` have `--isolate`.

    Raises:
        OverrideError: the flag has another value than true or false.
        Unfit: this machine allows no network namespaces.
    """
    if asked(arguments):
        from launch import reach

        reach.isolate()


def asked(arguments: Sequence[str]) -> bool:
    """Whether a command line has `--isolate`, with or without the value true.

    Raises:
        OverrideError: it has another value than true or false.
    """
    words = list(arguments)
    words = words[: words.index("--")] if "--" in words else words
    for place, word in enumerate(words):
        if word.partition("=")[0] == "--isolate":
            after = [each for each in words[place + 1 :][:1] if each[:2] != "--"]
            value = [] if "=" in word else after
            _, values = flags.read([word, *value], _FLAG)
            return bool(values["isolate"])
    return False


def check(isolate: bool, launch: str | None, wandb: str) -> None:
    """Refuses `--isolate` for a run that has no ports, or that needs the network.

    Raises:
        OverrideError: the run is local or of several machines, or logs online.
    """
    if isolate and launch not in ("threads", "processes"):
        raise OverrideError(
            "--isolate is for a program on one machine, with --launch threads or "
            f"processes, got --launch {launch}"
            + (": a local run opens no port" if launch == "local" else "")
        )
    if isolate and wandb == "online":
        raise OverrideError(
            "an isolated run reaches no server: use --wandb offline, and sync it later"
        )
