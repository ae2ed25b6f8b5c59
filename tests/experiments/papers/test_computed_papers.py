"""Computed figures: cheap to list, and their schemes match the reference numbers."""

import subprocess
import sys
import xml.etree.ElementTree

import matplotlib
import pytest

from experiments.catalogue.computation import Computation
from experiments.names import COMPUTATIONS
from experiments.papers import leverage_garnet, mdvi_garnet
from experiments.reporting.published import read_published

SVG = "{http://www.w3.org/2000/svg}"


def published(name):
    return read_published({"kind": "Garnet", "name": name})


def test_listing_computations_imports_no_heavy_library():
    code = (
        "import sys, experiments.papers; print(*(m for m in"
        " ('jax', 'numpy', 'matplotlib') if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_computation_names_have_the_form_of_experiment_names():
    for name, computation in COMPUTATIONS.items():
        assert isinstance(computation, Computation) and computation.name == name
        assert name.count("/") == 1 and 0 < len(computation.description) < 80


def test_reference_numbers_match_computed_schemes_and_iterations():
    rows = published("leverage/garnet")
    assert {row.agent for row in rows} == set(leverage_garnet.schemes())
    assert {row.frames for row in rows} <= set(leverage_garnet.ITERATIONS)
    assert len(rows) == 13 * 6
    rows = published("mdvi/garnet")
    assert {row.agent for row in rows} == set(mdvi_garnet.schemes(0.9))
    assert len(rows) == 3 * len(mdvi_garnet.SAMPLES)
    assert {row.status for row in rows} == {"computed"}  # by us, as the source states
    assert all("our own" in row.source for row in rows)


def rows_of(names, key, **columns):
    return [
        {key: name, "error": 1 / k, "gap": 1 / k, "standard_error": 0.1 / k, **columns,
         "iteration": k, "samples": k, "total": k}
        for name in names
        for k in (1, 10, 100)
    ]  # fmt: skip


DRAWN = {
    "leverage/garnet": rows_of(leverage_garnet.schemes(), "scheme"),
    "cpi/garnet": rows_of(["rate 1", "rate 0.1"], "scheme", part="exact")
    + rows_of(["rate 1", "rate 0.01"], "scheme", part="sampled"),
    "politex/garnet": rows_of(["CPI, rate 0.1"], "scheme", part="exact")
    + rows_of(["CPI, rate 0.1", "Politex, eta 1"], "scheme", part="noisy"),
    "vwls/linear": rows_of(
        ["f = 1", "f = f*"], "scheme", samples_per_pair=3, iterations=100
    ),
    "dvw/maze_generative": rows_of(["DQN", "f* M-DQN"], "scheme", maze=1, run=0),
    "mdvi/garnet": rows_of(["VI", "MDVI"], "scheme", part="samples", discount=0.9)
    + rows_of(["VI"], "scheme", part="horizon", discount=0.8),
}


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_pictures_label_every_line(tmp_path, name):
    rows = DRAWN[name]
    path = tmp_path / "figure.svg"
    with matplotlib.rc_context({"svg.fonttype": "none"}):  # keeps text as text
        COMPUTATIONS[name].draw(rows, path)
    root = xml.etree.ElementTree.parse(path).getroot()
    words = ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]
    for scheme in {row["scheme"] for row in rows}:
        label = scheme.removeprefix("exact ")  # the panel's title replaces it
        assert any(label in each for each in words), label
    COMPUTATIONS[name].draw(rows, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_drawing_without_rows_is_refused(tmp_path):
    rows = rows_of(["AVI"], "scheme")
    with pytest.raises(ValueError, match="no rows of"):
        COMPUTATIONS["leverage/garnet"].draw(rows, tmp_path / "figure.png")
