"""Runs below real schedulers of this machine: Slurm of one node, and mpirun."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

import munchausen
from tests.whole_runs import catch_commands, one_node_slurm

pytestmark = [pytest.mark.launchpad, pytest.mark.slow]
# What the printed script does with a notice, without Ray.
JOB = """\
#!/bin/bash
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={root}/out
cd {root}
echo "start ${{SLURM_RESTART_COUNT:-0}}"
{command} &
run=$!
trap 'kill -USR1 "$run"' USR1
wait "$run"
code=$?
while kill -0 "$run" 2>/dev/null; do wait "$run"; code=$?; done
echo "code $code"
if [ "$code" = 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
"""


@pytest.fixture
def slurm():
    if reason := one_node_slurm.missing():
        pytest.skip(reason)
    # Paths of sockets must be short.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        with one_node_slurm.running(Path(folder)) as running:
            yield running


def command(*settings):
    line = catch_commands.line("processes", *settings)
    return munchausen.command("experiments.cli", *line.split())


@pytest.mark.timeout(400)
def test_a_preempted_job_of_slurm_goes_on_where_it_was(slurm):
    root = slurm.root
    words = command("--run-directory", "run", "--resume", "auto", "--grace", "30")
    (root / "job.sh").write_text(JOB.format(root=root, command=" ".join(words)))
    job = slurm.run("sbatch", "--parsable", "job.sh").strip()
    metrics = lambda: catch_commands.metrics(root / "run")  # noqa: E731
    try:
        learned = lambda: any(row["learner_steps"] for row in metrics())  # noqa: E731
        slurm.patiently("the first learner step", learned, 120)
        slurm.run("scancel", "--batch", "--signal=USR1", job)
        out = root / "out"
        slurm.patiently("code 75", lambda: "code 75" in out.read_text(), 60)
        saved = catch_commands.saved_steps(root / "run")
        assert saved and saved[-1] > 0
        again = lambda: "start 1" in out.read_text()  # noqa: E731
        slurm.patiently("a second start", again, 60)
        further = lambda: metrics()[-1]["actor_steps"] > saved[-1]  # noqa: E731
        slurm.patiently("more steps than were saved", further, 120)
        assert f"from step {saved[-1]:,}" in out.read_text()
    finally:
        slurm.run("scancel", job)
        slurm.patiently("the end", lambda: slurm.state(job) == "CANCELLED", 60)


@pytest.mark.timeout(900)
def test_the_printed_script_trains_through_ray_and_goes_on_after_a_notice(slurm):
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    root, programs = slurm.root, Path(sys.executable).parent
    words = ["cluster", "slurm", "--nodes", "1", "--name", "one", "--", "train"]
    words += catch_commands.LINE.split()[1:]
    printed = subprocess.run(
        [*munchausen.command("experiments.cli"), *words, "--steps", "1000000"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    path = f"export PATH={programs}:$PATH"
    script = printed.replace("set -euo pipefail", f"set -euo pipefail\n{path}", 1)
    # Two actors and the other roles need more CPUs than a small machine has.
    script = script.replace("--min-nodes 1", "--min-nodes 1 --num-cpus 6")
    (root / "one.sh").write_text(script)
    job = slurm.run("sbatch", "--parsable", "--output=out", "one.sh").strip()
    run = root / "runs" / "one"
    metrics = lambda: catch_commands.metrics(run)  # noqa: E731
    try:
        learned = lambda: any(row["learner_steps"] for row in metrics())  # noqa: E731
        slurm.patiently("the first learner step", learned, 300)
        slurm.run("scancel", "--batch", "--signal=USR1", job)
        again = lambda: "Restarts=1" in slurm.run("scontrol", "show", "job", job)  # noqa: E731
        slurm.patiently("a second start", again, 200)
        saved = catch_commands.saved_steps(run)
        assert saved and saved[-1] > 0
        further = lambda: metrics()[-1]["actor_steps"] > saved[-1]  # noqa: E731
        slurm.patiently("more steps than were saved", further, 300)
    finally:
        slurm.run("scancel", job)
        slurm.patiently("the end", lambda: slurm.state(job) == "CANCELLED", 120)
        # This Slurm tracks processes by their parents, and parts of Ray have none.
        for process in psutil.process_iter(["cmdline"]):
            if f"/tmp/ray-{job}/" in " ".join(process.info["cmdline"] or ()):
                process.kill()


@pytest.fixture
def mpirun():
    if not shutil.which("mpirun"):
        pytest.skip("not installed: mpirun (openmpi-bin)")
    # As root, Open MPI asks for a promise; with one slot of hardware, for another.
    return ["mpirun", "--allow-run-as-root", "--oversubscribe"]


@pytest.mark.timeout(300)
def test_one_rank_of_mpi_trains(mpirun, tmp_path):
    words = command()
    words[words.index("1000000")] = "800"
    done = subprocess.run(
        [*mpirun, "-n", "1", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    [run] = tmp_path.glob("runs/*/*/*/")
    assert catch_commands.metrics(run)[-1]["actor_steps"] >= 800


@pytest.mark.timeout(300)
def test_several_ranks_of_mpi_are_refused_in_one_line(mpirun, tmp_path):
    done = subprocess.run(
        [*mpirun, "-n", "2", *command()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 2
    said = {line for line in done.stderr.splitlines() if "munchausen:" in line}
    assert said == {
        "munchausen: one process must start a program, and OMPI_COMM_WORLD_SIZE tells "
        "of 2; use one task, or --launch ray, which places roles on several machines "
        "(`munchausen cluster slurm`)"
    }
    assert not list(Path(tmp_path).glob("runs/*/*/*"))
