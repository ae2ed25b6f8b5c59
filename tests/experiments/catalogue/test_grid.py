"""Grids: the sweeps that they stand for."""

from experiments.catalogue.grid import Grid
from experiments.names import GRIDS
from experiments.verbs import sweep_arguments

GRID = Grid(
    "toy/catch_grid",
    "a toy",
    ("mdqn/catch", "soft_dqn/catch"),
    {"agent.temperature": "0.5,0.25", "agent.discount": "0.9,0.8,0.7", "seeds": "2"},
)


def test_flags_replace_a_grids_values_or_are_added_for_every_experiment():
    assert GRID.lines({"seeds": "1", "steps": "300"}) == [
        [
            name,
            "--agent.temperature=0.5,0.25",
            "--agent.discount=0.9,0.8,0.7",
            "--seeds=1",
            "--steps=300",
        ]
        for name in ("mdqn/catch", "soft_dqn/catch")
    ]
    cells = sweep_arguments.read(GRID.lines()[1]).cells()
    assert [cell.label for cell in cells[:4]] == [
        "temperature 0.5, discount 0.9",
        "temperature 0.5, discount 0.8",
        "temperature 0.5, discount 0.7",
        "temperature 0.25, discount 0.9",
    ]
    assert [len(cell.experiments) for cell in cells] == [2] * 6


def test_the_papers_grids_are_sweeps_of_two_fields():
    for name, grid in GRIDS.items():
        assert grid.name == name and 0 < len(grid.description) < 80
        for line in grid.lines():
            found = sweep_arguments.read(line)
            assert list(found.swept) == ["agent.averaging", "agent.temperature"]
            assert min(map(len, found.swept.values())) >= 3
            assert found.options.measure == "training"
