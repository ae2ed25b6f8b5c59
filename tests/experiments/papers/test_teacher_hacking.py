"""Teacher hacking: sources of completions, distances, and the diagnosis."""

import numpy as np
import pytest

from experiments.papers import teacher_hacking
from experiments.verbs import initial_sources

[FIGURE] = teacher_hacking.FIGURES


def test_variants_differ_in_their_source_and_their_prompts_only():
    made = {
        name.removeprefix(f"{FIGURE.name}_"): each
        for name, each in FIGURE.experiments.items()
    }
    fitted = made.pop("teacher"), made.pop("student")
    assert {each.environment.prompts for each in fitted} == {16_000}
    sources = {name: each.agent.source for name, each in made.items()}
    assert sources.pop("online_student") == "reference"  # without effect
    assert sources.pop("online_teacher") == "teacher"
    assert set(sources.values()) == {"fixed_teacher"}
    for name, each in made.items():
        assert each.agent.on_policy == (name == "online_student")
        assert each.steps == 600 * 100
        assert each.agent.network == fitted[1].agent.network
        assert each.agent.teacher == fitted[0].agent.network
        assert initial_sources.adopted(each) == each
    prompts = {name: each.environment.prompts for name, each in made.items()}
    assert (prompts["half_prompts"], prompts["fifth_prompts"]) == (50, 20)


def test_a_power_law_is_recognised_and_is_no_hacking():
    proxy = np.array([4.0, 2.0, 1.0, 0.5])
    found = teacher_hacking.diagnose(proxy, 3 * proxy**0.5)
    assert found.slope == pytest.approx(0.5) and found.residual < 1e-12
    assert (found.rise, found.proxy_change, found.hacked) == (0, 0, False)


def test_a_golden_distance_that_rises_while_the_proxy_falls_is_hacking():
    found = teacher_hacking.diagnose([4.0, 2.0, 1.0], [3.0, 1.0, 1.5])
    assert (found.rise, found.proxy_change, found.hacked) == (0.5, -1.0, True)
    assert found.residual > 0.2
    again = teacher_hacking.diagnose([4.0, 2.0, 1.0], [3.0, 1.0, 1.5], noise=0.5)
    assert not again.hacked
    # Both rise: over-fitting.
    assert not teacher_hacking.diagnose([4.0, 1.0, 2.0], [3.0, 1.0, 1.5]).hacked


@pytest.mark.parametrize("proxy", [[1.0], [1.0, 2.0, 3.0], [1.0, 0.0]])
def test_series_that_do_not_fit_are_refused(proxy):
    with pytest.raises(ValueError, match="two equally long series above 0"):
        teacher_hacking.diagnose(proxy, [2.0, 1.0])
