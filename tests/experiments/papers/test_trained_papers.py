"""The papers' figures: settings match the papers, agents fit their environments."""

import pytest

from experiments.names import COMPUTATIONS, EXPERIMENTS, FIGURES, GRIDS, VARIANTS
from launch import build, preflight
from tests.marks import quick

# Two of the paper's three games, which differ in nothing but the game.
_OTHER_GAMES = ("leverage/breakout", "leverage/seaquest")


@pytest.mark.parametrize(
    "name",
    quick(
        [name for name in VARIANTS if not name.startswith(_OTHER_GAMES)],
        sorted(VARIANTS),
    ),
)
def test_every_variant_fits_its_environment(name):
    if not VARIANTS[name].dataset:
        spec = preflight.check(VARIANTS[name], here=False).spec
        assert spec.num_actions > 1
        return
    spec = build.spec_of(VARIANTS[name])  # the dataset is not on this machine
    agent = build.make_agent(VARIANTS[name], spec)
    assert spec.num_actions == 0 and agent.storage.batch_size == 256


def test_names_are_unique():
    names = [*EXPERIMENTS, *FIGURES, *GRIDS, *COMPUTATIONS]
    assert len(set(names)) == len(names)
    for figure in FIGURES.values():
        assert all(name.startswith(figure.name + "_") for name in figure.experiments)


def test_deep_cpi_variants_have_the_rates_in_their_names():
    for name, experiment in FIGURES["cpi/cartpole"].experiments.items():
        if experiment.agent_name == "deep_cpi":
            rate = name.removeprefix("cpi/cartpole_rate_")
            wanted = 1.0 if "adaptive" in name else float(rate)
            assert experiment.agent.mixing_rate == wanted
            assert experiment.agent.adaptive == ("adaptive" in name)
