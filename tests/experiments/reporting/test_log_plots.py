"""Lines on logarithmic axes."""

import numpy as np
import pytest

from experiments.reporting import log_plots

ROWS = [
    {"iteration": k, "error": 0.5 / k, "standard_error": 0.01 * k} for k in (1, 2, 5)
]


def test_line_reads_the_named_columns():
    made = log_plots.line("VI", ROWS, x="iteration", y="error")
    assert made.label == "VI"
    np.testing.assert_allclose(made.x, [1, 2, 5])
    np.testing.assert_allclose(made.y, [0.5, 0.25, 0.1])
    np.testing.assert_allclose(made.error, [0.01, 0.02, 0.05])


def test_line_without_rows_is_refused_with_its_label():
    with pytest.raises(ValueError, match="no rows of VI"):
        log_plots.line("VI", [], x="iteration", y="error")


def test_rows_are_placed_in_panels_and_curves_in_their_order():
    tagged = [row | {"part": part} for row in ROWS for part in ("b", "a")]
    panels = log_plots.panels(
        [*tagged, *(row | {"part": "c"} for row in ROWS)],
        lambda row: ("two" if row["part"] in "ab" else "one", row["part"]),
        x="iteration",
        y="error",
    )
    labels = {title: [line.label for line in lines] for title, lines in panels.items()}
    assert labels == {"two": ["b", "a"], "one": ["c"]}
    for line in (*panels["two"], *panels["one"]):
        np.testing.assert_allclose(line.y, [0.5, 0.25, 0.1])


def test_labels_at_line_ends_do_not_overlap(tmp_path, monkeypatch):
    heights = {}
    annotate = log_plots.Axes.annotate

    def noted(axes, text, place, **options):
        heights[text] = place[1]
        return annotate(axes, text, place, **options)

    monkeypatch.setattr(log_plots.Axes, "annotate", noted)
    lines = [
        log_plots.line(f"beta {i}", ROWS, x="iteration", y="error") for i in range(4)
    ]
    path = tmp_path / "lines.svg"
    log_plots.save(path, {"a": lines}, x_label="k", y_label="error", lowest=1e-4)
    ordered = sorted(heights.values())
    assert len(ordered) == 4 and min(np.diff(ordered)) >= log_plots._GAP - 1e-9
    assert "beta 3" in path.read_text()
