"""A program of idle roles under the supervisor: `toy_program.py actor=sleeps ...`.

Every role writes to the tape, a file in the working directory, when it begins and when
it is asked to end. The program ends with its coordinator.
"""

import sys
import time
from pathlib import Path

import launchpad as lp
from absl import flags
from launchpad.nodes.python.local_multi_processing import PythonProcess

from launch import errors
from launch.engines import process, processes
from launch.engines.program import Node
from launch.engines.restarts import Budget
from launch.engines.supervisor import Rules

BUDGET = Budget(most=2, first_wait=0.2, silent_lives=9)


def play(role: str, part: str) -> None:
    def note(what: str) -> None:
        with Path("tape").open("a") as tape:
            tape.write(f"{role} {what}\n")

    process._GRACE_SECONDS = 1.0
    process.end_with_parent()
    stop = lp.stop_event()
    note("began")
    if part.startswith(("ends", "fails")):
        # Not before the other roles have begun, which may be slow under load.
        while Path("tape").read_text().count("began") < ROLES:
            time.sleep(0.05)
        if part.startswith("fails"):
            raise ValueError(f"{role} has had enough")
        return
    stop.wait()
    note("ended")
    while part == "ignores":
        time.sleep(0.1)


def main(parts: list[str]) -> int:
    flags.FLAGS(sys.argv[:1])
    program = lp.Program("toy")
    roles = [part.split("=") for part in parts]
    for role, part in roles:
        with program.group(role):
            program.add_node(lp.PyNode(play, role, part))
    order = ("actor", "replay", "coordinator")
    nodes = [
        Node(
            role,
            make=None,
            stops=order.index(role),
            patience=5.0,
            replicas=1 if role == "actor" else None,
            restarts=BUDGET if "again" in part else None,
            finishes=role == "coordinator",
        )
        for role, part in roles
    ]
    try:
        processes.launch(
            program,
            nodes,
            {role: PythonProcess(env={"TOY_ROLE": role}) for role, _ in roles},
            Path("logs"),
            Rules(Path(".")),
            arguments=["--lp_termination_notice_secs=120"],
        )
    except errors.RoleFailed as error:
        print(error, file=sys.stderr)
        return 1
    except errors.Interrupted as error:
        print(error, file=sys.stderr)
        return 128 + error.signal
    return 0


ROLES = len(sys.argv) - 1
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
