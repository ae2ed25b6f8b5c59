"""The notebook was saved as it ran, and it still runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs/catch.ipynb"
LARGEST = 300_000  # bytes


def code_cells(path):
    cells = json.loads(path.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def outputs(cells):
    return [output for cell in cells for output in cell["outputs"]]


def shown(cells):
    """The texts that the cells returned."""
    found = [output["data"] for output in outputs(cells) if "data" in output]
    return ["".join(data["text/plain"]) for data in found]


def test_the_notebook_is_small_and_was_run_from_top_to_bottom():
    assert NOTEBOOK.stat().st_size < LARGEST
    cells = code_cells(NOTEBOOK)
    assert [c["execution_count"] for c in cells] == list(range(1, len(cells) + 1))
    kinds = [output["output_type"] for output in outputs(cells)]
    assert "error" not in kinds
    pictures = [
        output for output in outputs(cells) if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 2
    assert "'1.00 in 100 new games'" in shown(cells)


@pytest.mark.slow
def test_the_notebook_runs_and_its_agent_learns(tmp_path):
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute"]
    subprocess.run(
        [*command, str(NOTEBOOK), "--output-dir", str(tmp_path), "--output", "again"],
        check=True,  # what it prints is shown if it fails
        cwd=tmp_path,
    )
    [result] = [
        x for x in shown(code_cells(tmp_path / "again.ipynb")) if "new games" in x
    ]
    assert float(result.strip("'").split()[0]) > 0.9


@pytest.mark.parametrize("word", ["/tmp/", "/root/", "/home/"])
def test_the_notebook_names_no_folder_of_the_machine_that_ran_it(word):
    assert not any(word in text for text in shown(code_cells(NOTEBOOK)))
