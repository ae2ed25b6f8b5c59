"""`munchausen cluster`: scripts equal the golden files, and do what they promise."""

import os
import re
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from experiments import cli

GOLDEN = Path(__file__).parent / "cluster_scripts"
LINES = {
    "slurm.sh": "slurm --nodes 3 --gpus 1 --partition long -- "
    "train mdqn/pong --actors 64",
    "ssh.sh": "ssh --hosts 127.0.0.1,127.0.0.2,127.0.0.3 --name two-words -- "
    "train sac/gymnasium --environment.id my:Env-v0 --environment.kwargs.name it's",
    "k8s.yaml": "k8s --nodes 5 --cpus 14 --gpus 2 --namespace team "
    "--image here/me:1.7 -- train mdqn/pong --actors 64",
    "firewall.nft": "firewall --ports 21000-22999 "
    "--hosts 10.7.0.0/24,192.168.7.3,fd00::5",
}
# Programs that the scripts call; each writes its arguments to a file of its name.
STUBS = {
    "srun": 'while [ "$1" != ray ]; do shift; done; exec "$@"',
    "ray": 'if [ "$1" = status ]; then seq -f " 1 node_%g" 3; exit; fi\n'
    'if [ "$2" = --block ]; then exec sleep 99; fi\n'
    'if [ "$1" = start ]; then exec python3 -c "import socket, time;'
    " s = socket.create_server(('127.0.0.1', $PORT)); time.sleep(99)\"; fi\n"
    'while [ "$1" != -- ]; do shift; done; shift; "$@"',
    "scontrol": "true",
    "ssh": 'shift; exec bash -c "$*"',
    "hostname": "echo 10.7.0.3 fd00::3",
    "munchausen": "trap 'exit $CODE' USR1 TERM; touch started; "
    "for i in $(seq 300); do sleep 0.1; done",
}


def printed(line, capsys):
    assert cli.main(["cluster", *line.split()]) == 0
    return capsys.readouterr().out


def rewrite():
    """Writes the golden files: `python -m tests.experiments.verbs.test_cluster`."""
    import contextlib
    import io

    for name, line in LINES.items():
        with contextlib.redirect_stdout(io.StringIO()) as out:
            cli.main(["cluster", *line.split()])
        (GOLDEN / name).write_text(out.getvalue())


@pytest.mark.parametrize("name", LINES)
def test_a_script_equals_its_golden_file(name, capsys):
    assert printed(LINES[name], capsys) == (GOLDEN / name).read_text()


@pytest.mark.parametrize("name", ["slurm.sh", "ssh.sh"])
def test_a_script_is_one_for_bash(name):
    path = GOLDEN / name
    done = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    if shutil.which("shellcheck"):
        done = subprocess.run(
            ["shellcheck", "--severity=warning", path], capture_output=True, text=True
        )
        assert done.stdout == ""


def test_the_job_of_kubernetes_has_the_command_and_the_grace():
    job, policy = yaml.safe_load_all((GOLDEN / "k8s.yaml").read_text())
    assert job["kind"] == "RayJob"
    assert job["spec"]["entrypoint"] == (
        "munchausen train mdqn/pong --actors 64 --launch ray --address auto "
        "--run-directory /runs/mdqn-pong --resume auto --grace 100 --restarts 3"
    )
    submitter = job["spec"]["submitterPodTemplate"]["spec"]
    assert submitter["restartPolicy"] == "OnFailure"
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    head = cluster["headGroupSpec"]["template"]
    assert head["spec"]["terminationGracePeriodSeconds"] == 120
    [workers] = cluster["workerGroupSpecs"]
    assert workers["replicas"] == 4
    selected = policy["spec"]["podSelector"]["matchLabels"]
    for template in (head, workers["template"]):
        assert template["metadata"]["labels"] == selected
        [container] = template["spec"]["containers"]
        assert container["image"] == "here/me:1.7"


@pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed")
def test_nftables_accepts_the_rules():
    line = ["nft", "--check", "--file", GOLDEN / "firewall.nft"]
    inside = ["unshare", "-Urn"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("namespaces are forbidden here")
    done = subprocess.run([*inside, *line], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "line, said",
    [
        ("", "cluster needs one of slurm, k8s, ssh, firewall, got none"),
        ("pbs -- train mdqn/pong", "cluster needs one of .*, got pbs"),
        ("slurm", "the command after -- must begin with train, got nothing"),
        ("slurm -- sweep mdqn/pong", "must begin with train, got sweep mdqn/pong"),
        ("slurm -- train mdqn/pang", "unknown experiment 'mdqn/pang'"),
        ("slurm -- train mdqn/pong --actors 0", "--actors must be at least 1, got 0"),
        ("slurm -- train mdqn/pong --seeds 3", "one run, the command has 3"),
        ("slurm -- train mdqn/pong --launch local", "the script sets --launch"),
        ("slurm -- train mdqn/pong --run_directory x", "sets --run-directory"),
        ("slurm --nodes 0 -- train mdqn/pong", "--nodes must be at least 1, got 0"),
        ("slurm --hosts a -- train mdqn/pong", "slurm has no use for --hosts"),
        ("slurm --ports 5-9 -- train mdqn/pong", "--ports must be LOW-HIGH, at least"),
        ("slurm --name a;b -- train mdqn/pong", "--name must be made of at most 63 "),
        ("k8s --cpus 0 -- train mdqn/pong", "--cpus must be at least 1, got 0"),
        (
            "k8s --nodes 5 --cpus 13 -- train mdqn/pong --actors 63",
            "the run needs 66 CPUs, one for each of 63 actors and for every learner, "
            "replay and evaluator, but 5 pods of 13 have 65: add --cpus 14, or more",
        ),
        (
            "k8s -- train mdqn/pong --actors 6..99",
            "the run needs 9 CPUs, one for each of 6 actors and for every learner, "
            "replay and evaluator, but 2 pods of 4 have 8: add --cpus 5, or more",
        ),
        ("k8s --name UPPER_x -- train mdqn/pong", "and - inside, got 'UPPER_x'"),
        ("k8s --namespace a/b -- train mdqn/pong", "--namespace must be made of at "),
        ("k8s --image a;b -- train mdqn/pong", "--image must be made of letters"),
        ("ssh --hosts a,b,a -- train mdqn/pong", "each once, got a,b,a"),
        ("ssh -- train mdqn/pong", "ssh needs the hosts: add --hosts HOST,HOST"),
        ("firewall --hosts gpu1", "must be addresses or networks, .* got 'gpu1'"),
        ("firewall --hosts 10.0.0.1 -- train", "firewall runs no command, got train"),
    ],
)
def test_a_mistake_is_one_line(line, said, capsys):
    assert cli.main(["cluster", *line.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert re.search(said, err), err


@pytest.fixture
def stubs(tmp_path, monkeypatch):
    """A directory of stub programs that come first in PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in STUBS.items():
        path = folder / name
        path.write_text(f'#!/bin/bash\necho "$@" >>"$LOG/{name}"\n{body}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path))
    # A login shell sets PATH anew.
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".bash_profile").write_text(f"PATH={folder}:$PATH\n")
    return tmp_path


def wait_for(path, seconds=20):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


@pytest.mark.parametrize("code, requeued", [(75, True), (1, False), (0, False)])
def test_a_notice_of_slurm_reaches_the_run_and_its_code_decides(stubs, code, requeued):
    script = GOLDEN / "slurm.sh"
    job = subprocess.Popen(
        ["bash", script],
        cwd=stubs,
        env={**os.environ, "SLURM_JOB_ID": "47", "CODE": str(code)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(stubs / "started")
    job.send_signal(signal.SIGUSR1)
    out, err = job.communicate(timeout=20)
    assert job.returncode == code, (out, err)
    # 47 modulo 20 blocks of 500 ports is the eighth.
    assert (stubs / "munchausen").read_text() == (
        "train mdqn/pong --actors 64 --launch ray --address 10.7.0.3:23500 "
        "--ports 23510-23559 --run-directory runs/mdqn-pong --resume auto "
        "--grace 100 --restarts 3\n"
    )
    requests = stubs / "scontrol"
    assert (requests.read_text() == "requeue 47\n") if requeued else True
    assert requests.exists() == requeued
    for words in (stubs / "srun", stubs / "ray"):
        assert "TOKEN" not in words.read_text()


def test_slurm_is_told_when_ray_does_not_start(stubs):
    (stubs / "bin" / "ray").write_text("#!/bin/bash\nexit 0\n")  # as symmetric-run does
    done = subprocess.run(
        ["bash", GOLDEN / "slurm.sh"],
        cwd=stubs,
        env={**os.environ, "SLURM_JOB_ID": "47"},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 1 and "Ray did not start" in done.stderr


def test_the_end_of_the_script_of_ssh_ends_the_run_and_ray_everywhere(stubs):
    text = (GOLDEN / "ssh.sh").read_text()
    [port] = [each for each in text.splitlines() if each.startswith("port=")]
    job = subprocess.Popen(
        ["bash", GOLDEN / "ssh.sh"],
        cwd=stubs,
        env={**os.environ, "CODE": "3", "PORT": port.split()[0].removeprefix("port=")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(stubs / "started")
        deadline = time.monotonic() + 20
        while (stubs / "ray").read_text().count("start ") < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        job.kill()  # not even a signal handler of the script runs
        job.wait()
    # All that it started ends by itself, and closes the output.
    _, said = job.communicate(timeout=30)
    assert (
        (stubs / "munchausen")
        .read_text()
        .startswith(
            "train sac/gymnasium --environment.id my:Env-v0 "
            "--environment.kwargs.name it's "
            "--launch ray --address 127.0.0.1:"
        )
    ), said
    started = (stubs / "ray").read_text().splitlines()
    assert sum("--head" in line for line in started) == 1
    assert sum("start --block --address 127.0.0.1:" in line for line in started) == 2


if __name__ == "__main__":
    rewrite()
