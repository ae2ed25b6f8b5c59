"""Losses of f-divergences: the same alpha for teacher and student."""

from experiments.papers import f_divergence
from experiments.verbs import initial_sources


def test_variants_have_the_alpha_in_their_names():
    alphas = {"cross_entropy": 1.0, "alpha_1.5": 1.5, "alpha_2": 2.0}
    for figure in f_divergence.FIGURES:
        for name, each in figure.experiments.items():
            suffix = name.removeprefix(f"{figure.name}_").removeprefix("teacher-")
            assert each.agent.alpha == alphas[suffix]
            assert each.agent.measure == "ones"


def test_a_student_has_a_teacher_that_was_trained_with_its_own_divergence():
    *_, figure = f_divergence.FIGURES
    made = dict(figure.experiments)
    distilled = [each for each in made.values() if each.initial]
    assert len(distilled) == 3
    for each in distilled:
        teacher = made[each.initial["teacher"]]
        assert teacher.agent.alpha == each.agent.alpha
        assert (teacher.agent_name, each.agent.target) == ("f_divergence", "teacher")
        assert initial_sources.adopted(each) == each
