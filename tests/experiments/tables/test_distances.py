"""Distances of teacher hacking from a table of its runs."""

import csv
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from environments.language import markov
from experiments.names import EXPERIMENTS
from experiments.tables import distances, variants
from launch.build import make_agent, spec_of
from launch.roles.evaluator import Evaluator

NAME = "teacher_hacking/markov_offline"
CHAIN = EXPERIMENTS[NAME].environment
COLUMNS = (
    *("experiment", "seed", "grid", "learner_steps"),
    *("forward_kl", "reference_log_prob"),
)


@pytest.fixture
def table(tmp_path):
    """Two seeds whose golden distances are 0.2 apart, and a run without teacher."""
    rows = []
    for seed in (0, 1):
        for steps, proxy, golden in ((0, 4, 3), (10, 2, 1), (20, 1, 2.5)):
            oracle = distances.oracle_log_prob(CHAIN, seed, 32 * steps)
            log_prob = oracle - golden - 0.2 * seed
            rows.append((NAME, seed, 32 * steps, steps, proxy, log_prob))
    path = tmp_path / "table.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [COLUMNS, *rows, ("teacher_hacking/markov_student", 0, 160, 5, 1, -50)]
        )
    return path


def test_references_are_those_of_the_evaluation():
    """The evaluator measures a policy at the same prompts and references."""
    experiment = dataclasses.replace(EXPERIMENTS[NAME], seed=3)
    seen = []

    def measure(params, key, observation):
        del params, key
        jax.debug.callback(lambda rows: seen.append(np.array(rows)), observation)
        return {}

    agent = make_agent(experiment, spec_of(experiment))
    completions = jnp.zeros((32, CHAIN.completion_columns), jnp.int32) + 5
    agent = agent._replace(measure=measure, act=lambda *_: (completions, ()))
    Evaluator(experiment, agent, episodes=64).evaluate({}, point=960)
    jax.effects_barrier()
    prompts, references = np.split(np.concatenate(seen), [CHAIN.prompt_columns], axis=1)
    scores = list(map(markov.Continuations(CHAIN).score, prompts, references))
    assert len(scores) == 64
    found = distances.oracle_log_prob(CHAIN, 3, 960, episodes=64)
    assert found == pytest.approx(np.mean(scores) * CHAIN.completion_columns)


def test_references_score_as_the_chain_does_on_average():
    scores = [distances.oracle_log_prob(CHAIN, seed, 96) for seed in range(3)]
    exact = markov.reference_score(CHAIN) * CHAIN.completion_columns
    assert np.mean(scores) == pytest.approx(exact, abs=0.4)
    assert len(set(scores)) == 3


def test_the_golden_distance_is_the_difference_of_two_log_probabilities(table):
    [(name, found)] = distances.distances(variants.read(table)).items()
    assert name == NAME
    np.testing.assert_array_equal(found.steps, [0, 10, 20])
    np.testing.assert_array_equal(found.proxy, [4, 2, 1])
    np.testing.assert_allclose(found.golden, [3.1, 1.1, 2.6], rtol=1e-12)
    # Two numbers 0.2 apart: deviation 0.2 / sqrt(2), error 0.1.
    np.testing.assert_allclose(found.golden_error, [0.1] * 3, rtol=1e-9)
    # 3.1 - 2 * 1.1 + 2.6 = 3.5 / sqrt(6) = 1.43: three rough points show nothing.
    assert distances.fluctuation(found.golden) == pytest.approx(3.5 / 6**0.5)
    one = distances.diagnosis(found)
    assert not one.hacked and one.rise == pytest.approx(1.5) and one.proxy_change == -1


def test_a_rise_above_the_noise_of_single_evaluations_is_hacking():
    steps, none = np.arange(5), np.zeros(5)
    proxy = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    golden = np.array([4.0, 3.0, 2.0, 3.0, 4.0])
    # Second differences 0, 2, 0: the noise is sqrt(4 / 3 / 6) = 0.47, the rise 2.
    assert distances.fluctuation(golden) == pytest.approx((4 / 18) ** 0.5)
    found = distances.Distances(steps, proxy, golden, none)
    assert distances.diagnosis(found).hacked
    rough = golden + np.array([0.0, 1.0, 0.0, 1.0, -1.0])
    assert not distances.diagnosis(found._replace(golden=rough)).hacked
    assert distances.fluctuation(np.array([3.0, 1.0])) == 0.0


def test_a_picture_and_a_line_for_each_variant(table, tmp_path, capsys):
    picture = tmp_path / "picture.png"
    assert distances.main([str(table), str(picture)]) == 0
    assert picture.read_bytes()[:4] == b"\x89PNG"
    _, line, _ = capsys.readouterr().out.splitlines()
    assert line.split()[:3] == [NAME, "1.5", "-1"] and line.endswith("no")


def test_a_table_without_distances_is_refused_in_one_line(tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text("experiment,seed,learner_steps\nsft/facts,0,1\n")
    assert distances.main([str(table), str(tmp_path / "picture.png")]) == 2
    said = "distances: the table must have numbers in its column forward_kl"
    assert capsys.readouterr().err.splitlines() == [said]
