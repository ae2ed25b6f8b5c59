"""The arguments of every role: the run, and a context made by the engine.

A role is a class whose `run` does its work. Its node in `launch.engines.program` names
the methods that other roles may call. A role knows neither Launchpad nor any other
engine, so that a test can run it in one thread with a made-up context.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from agents.parts.contract import Params, Spec
from environments.vector import VectorEnvironment
from launch.experiment import Experiment
from launch.runs.checkpoint import Checkpoint
from launch.runs.dashboards import WandbMode
from launch.runs.generation import Lease
from launch.runs.logs import Counts

if TYPE_CHECKING:
    from launch.datasets.normalization import Prepared


REPORT_SECONDS = 0.2  # between two reports of a role to the coordinator


class Run(NamedTuple):
    """One start of a run, as every role receives it.

    Attributes:
        experiment: the experiment to run.
        directory: its run directory.
        spec: of its environment.
        frame_stack: how many frames an observation stacks; 1 if none.
        resume: the checkpoint at which the run resumes; None at the beginning.
        wandb: whether to log to Weights & Biases as well.
        dataset: the dataset of the run, if this process has loaded it already.
        grace: seconds that the run has to save itself after a scheduler's notice.
        lease: the right to write to the directory; None: no other process can.
    """

    experiment: Experiment
    directory: Path
    spec: Spec
    frame_stack: int
    resume: Checkpoint | None = None
    wandb: WandbMode = "off"
    dataset: "Prepared | None" = None
    grace: float = 25.0
    lease: Lease | None = None

    @property
    def start(self) -> Counts:
        """The counters of the resumed checkpoint; zeros if the run begins."""
        return Counts() if self.resume is None else self.resume.counts

    def initial(self) -> Params:
        """Loads the first weights of networks; none if the run has learned already.

        Raises:
            RunDirectoryError: they are gone, or are not those that were chosen.
        """
        if self.start.clock or not self.experiment.origins:
            return {}
        from launch.runs import initial_weights  # other runs do not need it

        return initial_weights.load(self.experiment.origins)


class Stop(Protocol):
    """The request to end, such as a `threading.Event`."""

    def is_set(self) -> bool:
        """Whether the role has been asked to end."""

    def wait(self, timeout: float | None = None) -> bool:
        """Waits up to `timeout` seconds for the request; returns whether it came."""


class Answer(Protocol):
    """The answer to a call that is under way, such as a `concurrent.futures.Future`."""

    def done(self) -> bool:
        """Whether the answer has come."""

    def result(self) -> Any:
        """Waits for the answer and returns it, or raises the other role's error."""

    def cancel(self) -> bool:
        """Cancels the call."""

    def add_done_callback(self, function: Callable[[Any], Any], /) -> None:
        """Registers a function that is called when the answer comes."""


class Peer(Protocol):
    """Another role, whose public methods are called like those of a local object.

    Such a call waits for the answer. It raises `launch.errors.Stopped` if the calling
    role is asked to end and the other role does not answer.
    """

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """A public method of the other role."""

    def begin(self, method: str, *arguments: Any) -> Answer:
        """Calls a method without waiting for the answer."""

    def close(self) -> None:
        """Closes the connection."""


class Context(Protocol):
    """What the engine provides to a role.

    Attributes:
        name: name of the role, such as `learner` or `actor/0`.
        index: index of this replica of the role, from 0.
        life: how often this replica was started again after it died, from 0.
        stop: set when the role is to end.
        port: TCP port for the server of a role that has one; else 0.
    """

    name: str
    index: int
    life: int
    stop: Stop
    port: int

    def peer(self, role: str, patience: float = 5.0) -> Peer:
        """Connects to another role, to call its methods.

        Args:
            role: its name; the node of this role lists it among its `calls`.
            patience: seconds that a call waits for an answer after a stop.
        """

    def deadline(self) -> float | None:
        """The time of `time.monotonic` by which the role must have saved everything.

        None, unless a scheduler has announced the end of the run.
        """

    def watched(self, environment: VectorEnvironment) -> VectorEnvironment:
        """The environment; if it hangs, the role is ended and started again.

        A role that shares its process with others gets the environment unchanged.
        """

    def address(self, role: str, index: int = 0) -> str:
        """Where the server of a replica of a role listens, `host:port`.

        Args:
            role: its name; the node of this role lists it among its `addresses`, or
                has a server itself.
            index: of the replica.
        """
