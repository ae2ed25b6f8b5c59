"""`munchausen cluster`: prints a script to start from, for a run on several machines.

The scripts are templates in `cluster_scripts`. Nothing is written or started.
"""

import ipaddress
import re
import shlex
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from experiments import flags
from experiments.flags import OverrideError

if TYPE_CHECKING:  # it imports the agents
    from experiments.verbs.train_arguments import Plan

Kind = Literal["slurm", "k8s", "ssh", "firewall"]
_TEMPLATES: dict[Kind, str] = {
    "slurm": "slurm.sh.j2",
    "k8s": "k8s.yaml.j2",
    "ssh": "ssh.sh.j2",
    "firewall": "firewall.nft.j2",
}
# The flags that each script has a use for.
_USED: dict[Kind, tuple[str, ...]] = {
    "slurm": ("name", "directory", "nodes", "gpus", "ports", "partition"),
    "k8s": ("name", "directory", "nodes", "cpus", "gpus", "namespace", "image"),
    "ssh": ("name", "directory", "hosts", "ports"),
    "firewall": ("hosts", "ports"),
}
# One run takes a block of ports on each host: the first is Ray's own, then come those
# of its parts, the roles' and, up to the end of the block, one for each Ray worker.
_BLOCK = 500
_RAY_PORTS = {
    "node-manager-port": 1,
    "object-manager-port": 2,
    "runtime-env-agent-port": 3,
    "dashboard-agent-grpc-port": 4,
    "dashboard-agent-listen-port": 5,
    "metrics-export-port": 6,
    "ray-client-server-port": 7,
    "dashboard-port": 8,
    "min-worker-port": 60,
    "max-worker-port": _BLOCK - 1,
}
_ROLES = (10, 59)
_PATIENCE = 300  # seconds for all hosts to join
# Flags of `train` that the scripts set.
_SET = ("launch", "address", "ports", "run-directory", "resume", "grace", "restarts")

HELP = """\
usage: munchausen cluster slurm|k8s|ssh [...] -- train <experiment> [...]
       munchausen cluster firewall --hosts ADDRESS,... [--ports LOW-HIGH]

Prints a script to start from: read it, change what differs at your site, run it.

  slurm      an sbatch script with `ray symmetric-run`; requeues itself after a notice
  k8s        a RayJob for KubeRay, with a network policy
  ssh        starts Ray on each host, then the command on the first
  firewall   nftables rules: only these hosts reach these ports

  --hosts      ssh: names, the first host leads; firewall: addresses or networks
  --ports      ports for Ray and the roles, LOW-HIGH; default 20000-29999. One run takes
               a block of 500, which depends on the job (slurm) or the name (ssh)
  --nodes      slurm, k8s: number of machines; default 2
  --cpus       k8s: CPUs of a pod; the run needs one for each actor, learner, replay and
               evaluator; default 4
  --gpus       slurm, k8s: GPUs of a node; default 0
  --partition  slurm: where to run; default the site's
  --namespace  k8s: default `default`
  --image      k8s: of all pods; default `munchausen:latest`
  --name       of job and script; default made of the experiment, such as mdqn-pong
  --directory  of the run; default runs/<name>. The same directory is the same run

The command after `--` is checked as `train` would, and gets the flags --launch ray
--address --run-directory --resume auto --grace 100 --restarts 3. Each script makes a
token for its Ray and hands it on in the environment."""


@dataclass(frozen=True)
class Options:
    """Flags of `cluster`.

    Attributes:
        hosts: names or addresses of the hosts.
        ports: for Ray and the roles, LOW-HIGH.
        nodes: number of machines.
        cpus: CPUs of a pod.
        gpus: GPUs of a node.
        partition: of Slurm; empty: the site's default.
        namespace: of Kubernetes.
        image: of all pods.
        name: of job and script; empty: made of the experiment.
        directory: of the run; empty: made of the name.
    """

    hosts: tuple[str, ...] = ()
    ports: str = "20000-29999"
    nodes: int = 2
    cpus: int = 4
    gpus: int = 0
    partition: str = ""
    namespace: str = "default"
    image: str = "munchausen:latest"
    name: str = ""
    directory: str = ""

    def __post_init__(self) -> None:
        for name in ("nodes", "cpus"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        if self.gpus < 0:
            raise ValueError(f"gpus must be at least 0, got {self.gpus}")
        self.port_range()
        for name in ("partition", "image"):
            _check_plain(name, getattr(self, name))
        for name in ("namespace", "name"):
            _check_name(name, getattr(self, name))
        for host in self.hosts:
            _check_plain("hosts", host)
        if len({*self.hosts}) < len(self.hosts) or "" in self.hosts:
            raise ValueError(
                f"hosts must be names, each once, got {','.join(self.hosts)}"
            )

    def port_range(self) -> tuple[int, int]:
        """The lowest and the highest port.

        Raises:
            ValueError: it is no range, or too small for one run.
        """
        found = re.fullmatch(r"(\d+)-(\d+)", self.ports)
        low, high = map(int, found.groups()) if found else (0, 0)
        if not 1024 <= low < high <= 65535 or high - low + 1 < _BLOCK:
            raise ValueError(
                f"ports must be LOW-HIGH, at least {_BLOCK} ports between 1024 and "
                f"65535, got {self.ports!r}"
            )
        return low, high


def main(arguments: Sequence[str]) -> int:
    """Prints the script that a command line asks for.

    Raises:
        OverrideError: a mistake on the command line.
    """
    kind, options, command = read(arguments)
    if kind == "firewall":
        print(render(kind, options, addresses=addresses(options.hosts)))
        return 0
    name = options.name or _name(command)
    place = "/runs" if kind == "k8s" else "runs"
    directory = shlex.quote(options.directory or f"{place}/{name}")
    print(
        render(
            kind,
            options,
            name=name,
            directory=directory,
            command=shlex.join(["munchausen", *command]),
        )
    )
    return 0


def read(arguments: Sequence[str]) -> tuple[Kind, Options, list[str]]:
    """The kind of script, its flags, and the command of `train` after `--`.

    Raises:
        OverrideError: a mistake on the command line, or in the command.
    """
    words, command = list(arguments), []
    if "--" in words:
        place = words.index("--")
        words, command = words[:place], words[place + 1 :]
    plain, values = flags.read(words, flags.fields(Options()))
    kinds = get_args(Kind)
    if len(plain) != 1 or plain[0] not in kinds:
        given = " ".join(plain) or "none"
        raise OverrideError(
            f"cluster needs one of {', '.join(kinds)}, got {given}; the command to run "
            "comes after --"
        )
    kind: Kind = plain[0]  # type: ignore[assignment]
    for flag in values:
        if flag not in _USED[kind]:
            used = ", ".join(f"--{name}" for name in _USED[kind])
            raise OverrideError(f"{kind} has no use for --{flag}: it takes {used}")
    options = flags.replace(Options(), values, "--")
    if "hosts" in _USED[kind] and not options.hosts:
        raise OverrideError(f"{kind} needs the hosts: add --hosts HOST,HOST,...")
    if kind == "firewall" and command:
        raise OverrideError(f"firewall runs no command, got {shlex.join(command)}")
    if kind != "firewall":
        _check_room(kind, _check_command(command), options)
    return kind, options, command


def _check_room(kind: Kind, plan: "Plan", options: Options) -> None:
    """Refuses pods that are too small for a run; other scripts name no CPUs.

    Raises:
        OverrideError: they have too few CPUs together.
    """
    if kind != "k8s":
        return
    [experiment], given = plan.experiments, plan.options
    actors = given.actors_at_least if given.elastic else experiment.actors
    # As the nodes of `launch.engines.program` count them.
    needed = actors + experiment.learners + experiment.replays + 1
    if needed > options.nodes * options.cpus:
        raise OverrideError(
            f"the run needs {needed} CPUs, one for each of {actors} actors and for "
            f"every learner, replay and evaluator, but {options.nodes} pods of "
            f"{options.cpus} have {options.nodes * options.cpus}: add --cpus "
            f"{-(-needed // options.nodes)}, or more --nodes"
        )


def _check_command(command: Sequence[str]) -> "Plan":
    """Refuses a command that `train` would refuse; returns what it asks for.

    Raises:
        OverrideError: a mistake in it, or a flag that the script sets.
    """
    from experiments.verbs import train_arguments  # late: imports the agents

    if command[:1] != ["train"]:
        given = shlex.join(command) or "nothing"
        raise OverrideError(
            f"the command after -- must begin with train, got {given}: for example "
            "`munchausen cluster slurm -- train mdqn/pong --actors 64`"
        )
    for word in command:
        flag = word.partition("=")[0].removeprefix("--").replace("_", "-")
        if word.startswith("--") and flag in _SET:
            raise OverrideError(
                f"the script sets --{flag}: remove it from the command after --, and "
                "change it in the script"
            )
    plan = train_arguments.plan([*command[1:], "--launch", "ray"])
    if len(plan.experiments) > 1:
        raise OverrideError(
            f"a script is for one run, the command has {len(plan.experiments)}: name "
            "one experiment with one --seed, and print a script for each"
        )
    return plan


def _check_plain(flag: str, text: str) -> None:
    """Refuses a text that a shell or YAML would not take as one word."""
    if text and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*", text):
        raise ValueError(
            f"{flag} must be made of letters, digits and . _ : / @ -, got {text!r}"
        )


def _check_name(flag: str, text: str) -> None:
    """Refuses a name that Kubernetes, or a file's name, does not take."""
    if text and not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text):
        raise ValueError(
            f"{flag} must be made of at most 63 small letters, digits and - inside, "
            f"got {text!r}"
        )


def _name(command: Sequence[str]) -> str:
    """A name for a job, made of the experiment's."""
    from experiments.verbs.train_names import find_named

    found = find_named(command[1:])
    return re.sub(r"[^a-z0-9]+", "-", found.name.lower()).strip("-")[:63].strip("-")


def addresses(hosts: Sequence[str]) -> dict[str, list[str]]:
    """Addresses and networks by family, `v4` and `v6`.

    Raises:
        OverrideError: one is a name, which a firewall cannot keep up with.
    """
    found: dict[str, list[str]] = {"v4": [], "v6": []}
    for host in hosts:
        try:
            network = ipaddress.ip_network(host, strict=False)
        except ValueError as error:
            raise OverrideError(
                "--hosts of a firewall must be addresses or networks, such as "
                f"10.0.0.0/24, got {host!r}"
            ) from error
        alone = network.prefixlen == network.max_prefixlen
        text = str(network.network_address) if alone else str(network)
        found[f"v{network.version}"].append(text)
    return found


def render(kind: Kind, options: Options, **values: Any) -> str:
    """The text of a script.

    Args:
        kind: which one.
        options: its flags.
        values: what else its template needs.
    """
    import jinja2

    low, high = options.port_range()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "cluster_scripts"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    blocks = (high - low + 1) // _BLOCK
    name = values.get("name", "")
    port = low + zlib.crc32(name.encode()) % blocks * _BLOCK
    return environment.get_template(_TEMPLATES[kind]).render(
        vars(options)
        | {
            "low": low,
            "high": high,
            "block": _BLOCK,
            "patience": _PATIENCE,
            "port": port,
            "roles": _ROLES,
            "ray_ports": _RAY_PORTS,
            "ray_flags": _ray_flags(port),
        }
        | values
    )


def _ray_flags(port: int) -> str:
    """Flags of `ray start` on every host."""
    ports = [f"--{flag} {port + offset}" for flag, offset in _RAY_PORTS.items()]
    return " ".join([*ports, "--disable-usage-stats"])
