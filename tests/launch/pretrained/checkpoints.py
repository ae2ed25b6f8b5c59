"""Copies of the tiny checkpoints of tests/data, and changes to them."""

import json
import shutil
from pathlib import Path

from safetensors import numpy as files

GEMMA = Path(__file__).parents[2] / "data" / "gemma"


def copy(name, folder):
    """A copy of a checkpoint that a test may change."""
    return Path(shutil.copytree(GEMMA / name, folder / name))


def describe(directory, text=False, **changes):
    """Changes keys of `config.json`; a key whose new value is `...` is removed."""
    path = directory / "config.json"
    whole = json.loads(path.read_text())
    values = whole["text_config"] if text else whole
    values |= changes
    for key in [key for key, value in values.items() if value is ...]:
        del values[key]
    path.write_text(json.dumps(whole))


def change(directory, edit, file="model.safetensors"):
    """Calls `edit` with the tensors of a file by name, and writes them back."""
    tensors = files.load_file(directory / file)
    edit(tensors)
    files.save_file(tensors, directory / file, metadata={"format": "pt"})
