"""Plans that command lines of `train` describe."""

from experiments.names import FIGURES
from experiments.verbs import train_arguments

NAME = "leverage/cartpole"


def test_a_figure_plans_every_variant_seed_by_seed():
    plan = train_arguments.plan([NAME, "--seeds", "2", "--steps", "700"])
    names = list(FIGURES[NAME].experiments)
    order = [(each.name, each.seed) for each in plan.experiments]
    assert order == [(name, seed) for seed in (0, 1) for name in names]
    assert {each.steps for each in plan.experiments} == {700}
    assert plan.continued


def test_a_figure_has_the_papers_number_of_seeds():
    plan = train_arguments.plan([NAME])
    assert {each.seed for each in plan.experiments} == set(range(10))
    one = train_arguments.plan([NAME, "--seed", "3"])
    assert {each.seed for each in one.experiments} == {3} and one.continued
