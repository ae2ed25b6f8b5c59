"""The offline figures."""

from experiments.names import FIGURES


def test_offline_figures_cover_both_environments_and_all_qualities():
    names = [name for name in FIGURES if name.startswith("offline/")]
    assert len(names) == 10
    for name in names:
        robot, quality = name.removeprefix("offline/").split("-", 1)
        figure = FIGURES[name]
        assert figure.seeds == 3
        kinds = {each.agent_name for each in figure.experiments.values()}
        assert kinds == {"td3", "bc", "td3_bc", "anti_exploration", "ploff"}
        for experiment in figure.experiments.values():
            assert experiment.steps == 50_000
            assert experiment.dataset == f"munchausen/{robot}/{quality}-v0"
            assert robot in experiment.environment.name.lower()
