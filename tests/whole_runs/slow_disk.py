"""A plugin for tests: saving a replay takes a minute while a file `slow` exists.

The file is in the working directory, which all processes of a command share.
"""

import time
from pathlib import Path

import agents
from launch.replay.in_process import InProcess
from launch.replay.reverb_batches import ReverbBatches

REGISTRY = {"patient_mdqn": agents.REGISTRY["mdqn"]}


def slowed(save):
    def instead(self, path):
        if Path("slow").exists():
            time.sleep(60)
        save(self, path)

    return instead


for store in (InProcess, ReverbBatches):
    store.save = slowed(store.save)
