"""`munchausen doctor`: checks whether this machine can run experiments; suggests fixes.

Libraries that may be broken are imported in separate processes, so the doctor itself
needs little more than the standard library and always finishes.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

from experiments import flags
from experiments.flags import OverrideError
from experiments.verbs import doctor_surroundings
from experiments.verbs.doctor_surroundings import Check
from launch import surroundings

HELP = """\
usage: munchausen doctor

Checks Python, package versions, libraries, devices, Atari games, disk, memory, limits,
network, home and variables; prints a fix below each problem."""

GIGABYTE = 1e9
MINIMUM_DISK = 2 * GIGABYTE
MINIMUM_MEMORY = 4 * GIGABYTE
# A wheel's user has no Makefile.
IN_REPOSITORY = Path(__file__).resolve().parents[2].joinpath("Makefile").is_file()
REINSTALL = "pip install --force-reinstall munchausen, with its extras"
BRING_PYTHON = "make a virtual environment of another Python 3.10"
if IN_REPOSITORY:
    REINSTALL = "make clean install"
    BRING_PYTHON = f"{REINSTALL} UV_PYTHON_PREFERENCE=only-managed"
REPLACE_PYTHON = (
    f"{BRING_PYTHON}, or build Python 3.10 with "
    "PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install 3.10"
)
# Folders in which the packages look for libpython first.
_REVERB = "import reverb, tensorflow as tf; print('with TensorFlow', tf.__version__)"
NATIVE_FOLDERS = {"courier": "courier/python", "reverb": "reverb"}


class Probe(NamedTuple):
    """The outcome of a separate process that ran some code.

    Attributes:
        succeeded: whether it exited with 0.
        text: the last line of its output, or of the error if it failed.
    """

    succeeded: bool
    text: str


def probe(code: str, seconds: float = surroundings.PROBE_SECONDS) -> Probe:
    """Runs Python code in a separate process.

    Args:
        code: Python source; its last line of output is the probe's text.
        seconds: wall-clock time after which the process is killed and counts as failed.
    """
    try:
        result = surroundings.run_code(code, seconds)
    except subprocess.TimeoutExpired:
        return Probe(False, f"no answer within {seconds:g} s")
    succeeded = result.returncode == 0
    lines = (result.stdout if succeeded else result.stderr).strip().splitlines()
    silent = "" if succeeded else f"ended with code {result.returncode}"
    return Probe(succeeded, lines[-1] if lines else silent)


def check_python(
    version: Sequence[int], implementation: str, system: str, machine: str
) -> Check:
    """Checks Python: the libraries of distributed runs have wheels for 3.10 only."""
    detail = f"{implementation} {'.'.join(map(str, version))}, {system} {machine}"
    if (system, machine) != ("Linux", "x86_64"):
        mend = "use Linux on x86-64: a container or a virtual machine will do"
        return Check("python", detail, mend)
    minor = tuple(version[:2])
    if implementation != "CPython" or not (3, 10) <= minor <= (3, 13):
        return Check("python", detail, f"use CPython 3.10 to 3.13: {REINSTALL}")
    if minor != surroundings.DISTRIBUTED:
        detail += "; local runs only, since distributed ones need CPython 3.10"
    return Check("python", detail)


def check_versions(
    requirements: Iterable[str], installed: Callable[[str], str]
) -> Check:
    """Compares installed versions with the required ones.

    Args:
        requirements: as in requirements.in; requirements of extras are skipped.
        installed: `(package) -> version`, as `importlib.metadata.version`.
    """
    from packaging.requirements import Requirement

    wrong, count = [], 0
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            version = installed(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            specifier = requirement.specifier
            wrong.append(f"{requirement.name} is {version}, needed {specifier}")
    if wrong:
        return Check("versions", "; ".join(wrong), REINSTALL)
    return Check("versions", f"{count} packages as required")


def check_installation() -> Check:
    """Checks the versions of all packages that `munchausen` requires."""
    try:
        requirements = metadata.requires("munchausen") or []
        return check_versions(requirements, metadata.version)
    except ModuleNotFoundError as error:
        return Check("versions", f"{error.name} is not installed", REINSTALL)


def check_native(
    name: str, result: Probe, libpython: Path, in_repository: bool = IN_REPOSITORY
) -> Check:
    """Explains why a package that is linked to libpython does not load.

    Args:
        name: of the package: Courier carries every remote call, Reverb is the replay.
        result: of importing it.
        libpython: where this Python's shared library would be.
        in_repository: whether there is a Makefile with the verb that links the library.
    """
    if result.succeeded:
        return Check(name, result.text)
    if "libpython" not in result.text:
        return Check(name, result.text, REINSTALL)
    if libpython.exists():
        folder = Path(sysconfig.get_path("purelib"), NATIVE_FOLDERS[name])
        link = "make libpython" if in_repository else f"ln -s {libpython} {folder}"
        return Check(name, result.text, link)
    return Check(name, f"{libpython} is missing", REPLACE_PYTHON)


def check_devices(result: Probe, nvidia: bool, platforms: str) -> Check:
    """Checks that JAX has a device, and that an NVIDIA GPU is not left unused.

    Args:
        result: of printing JAX's devices, each with its platform.
        nvidia: whether the machine has an NVIDIA driver.
        platforms: the variable JAX_PLATFORMS, which may exclude the GPU on purpose.
    """
    if not result.succeeded:
        mend = REINSTALL
        if platforms:
            mend = f"JAX_PLATFORMS is {platforms!r}: unset it, or {REINSTALL}"
        return Check("devices", result.text, mend)
    if nvidia and not platforms and "gpu" not in result.text:
        detail = f"{result.text}, although there is an NVIDIA GPU"
        mend = "make cuda12, or set JAX_PLATFORMS=cpu to use the CPU"
        return Check("devices", detail, mend)
    return Check("devices", result.text)


def check_roms(folder: Path) -> Check:
    """Checks that the Atari games of ale-py are installed."""
    games = {path.stem for path in folder.glob("*.bin")}
    missing = sorted({"pong", "breakout"} - games)
    if missing:
        detail = f"{', '.join(missing)} missing in {folder}"
        return Check("roms", detail, REINSTALL)
    return Check("roms", f"{len(games)} Atari games")


def check_disk(free: float) -> Check:
    """Checks the free disk space, in bytes, where runs are written."""
    detail = f"{free / GIGABYTE:.1f} GB free"
    if free < MINIMUM_DISK:
        mend = (
            f"free {MINIMUM_DISK / GIGABYTE:g} GB, or write runs elsewhere: --runs DIR"
        )
        return Check("disk", detail, mend)
    return Check("disk", detail)


def check_memory(available: float) -> Check:
    """Checks the memory, in bytes, that new processes may use."""
    detail = f"{available / GIGABYTE:.1f} GB available; 7.1 GB hold 1 M Atari steps"
    if available < MINIMUM_MEMORY:
        mend = "end other programs, or store less: --agent.storage.capacity 100000"
        return Check("memory", detail, mend)
    return Check("memory", detail)


def available_memory(meminfo: str) -> float:
    """Bytes that new processes may use, from the text of /proc/meminfo."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return 1024 * float(line.split()[1])
    return 0.0


def examine() -> list[Check]:
    """Runs every check of this machine."""
    python = check_python(
        sys.version_info[:3],
        platform.python_implementation(),
        platform.system(),
        platform.machine(),
    )
    if python.mend:
        return [python]  # the other checks would fail as well
    native: list[Check] = []
    with ThreadPoolExecutor() as pool:
        devices = pool.submit(
            probe, "import jax; print(*(f'{d} ({d.platform})' for d in jax.devices()))"
        )
        if sys.version_info[:2] == surroundings.DISTRIBUTED:
            courier = pool.submit(probe, "import courier; print('imports')")
            reverb = pool.submit(probe, _REVERB)
            library = Path(sys.base_prefix, "lib", "libpython3.10.so.1.0")
            native = [
                check_native("courier", courier.result(), library),
                check_native("reverb", reverb.result(), library),
            ]
    ale = util.find_spec("ale_py")
    roms = Path(ale.origin).parent / "roms" if ale and ale.origin else Path("ale_py")
    return [
        python,
        check_installation(),
        *native,
        check_devices(
            devices.result(),
            nvidia=Path("/dev/nvidiactl").exists(),
            platforms=os.environ.get("JAX_PLATFORMS", ""),
        ),
        check_roms(roms),
        check_disk(shutil.disk_usage(Path.cwd()).free),
        check_memory(available_memory(Path("/proc/meminfo").read_text())),
        *doctor_surroundings.examine(),
    ]


def report(checks: Iterable[Check]) -> str:
    """One line for each check, and one more for each fix."""
    lines = []
    for check in checks:
        state = "problem" if check.mend else "ok"
        lines.append(f"{state:8} {check.name:9} {check.detail}")
        if check.mend:
            lines.append(f"{'':8} {'fix':9} {check.mend}")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Prints the findings; returns the exit code, 1 if there is a problem.

    Raises:
        OverrideError: there are arguments.
    """
    plain, _ = flags.read(arguments, {})
    if plain:
        raise OverrideError(f"doctor takes no arguments, got {plain[0]!r}")
    checks = examine()
    print(report(checks))
    return int(any(check.mend for check in checks))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
