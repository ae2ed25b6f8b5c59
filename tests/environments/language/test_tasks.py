"""What all language tasks have in common: seeds, held-out prompts, limited prompts."""

import dataclasses

import dm_env
import numpy as np
import pytest

import environments
from environments.language.vocabulary import EOS, PAD

TASKS = {
    "markov": environments.Markov(order=2, symbols=7, completion_columns=5),
    "preferences": environments.Preferences(symbols=11, completion_columns=6),
    "facts": environments.Facts(facts=4),
    "text": environments.Text(prompt_columns=17, completion_columns=7),
}


def stream(config, seed, evaluation=False, steps=6, lanes=3):
    """Observations and rewards when references are the actions."""
    environment = environments.make(config, lanes, seed, evaluation)
    columns = environment.action_spec().shape[0]
    timestep = environment.reset()
    rows, rewards = [timestep.observation], []
    for _ in range(steps):
        timestep = environment.step(rows[-1][:, -columns:])
        assert (timestep.step_type == dm_env.StepType.LAST).all()
        assert (timestep.discount == 0.0).all()
        rewards.append(timestep.reward)
        rows.append(environment.step(rows[-1][:, -columns:]).observation)
    environment.close()
    return np.stack(rows), np.stack(rewards)


def prompts(config, seed, evaluation, steps=25):
    columns = environments.make(config, 1, 0).action_spec().shape[0]
    rows, _ = stream(config, seed, evaluation, steps, lanes=5)
    return {tuple(row) for row in np.concatenate(rows[..., :-columns])}


@pytest.mark.parametrize("name", TASKS)
def test_equal_seeds_give_equal_streams(name):
    rows, rewards = stream(TASKS[name], seed=3)
    again, rewards_again = stream(TASKS[name], seed=3)
    np.testing.assert_array_equal(rows, again)
    np.testing.assert_array_equal(rewards, rewards_again)
    assert rows.dtype == np.int32
    assert rewards.dtype == np.float32
    other, _ = stream(TASKS[name], seed=4)
    assert not np.array_equal(rows, other)
    assert len(np.unique(rows[:, 0], axis=0)) > 1
    assert not np.array_equal(rows[:, 0], rows[:, 1])


@pytest.mark.parametrize("name", TASKS)
def test_prompts_for_evaluation_are_never_trained_on(name):
    trained = prompts(TASKS[name], seed=0, evaluation=False)
    evaluated = prompts(TASKS[name], seed=0, evaluation=True)
    assert len(trained) > 25
    assert len(evaluated) > 5
    assert not trained & evaluated


@pytest.mark.parametrize("name", TASKS)
def test_limited_prompts_are_exactly_as_many_and_each_has_one_reference(name):
    config = dataclasses.replace(TASKS[name], prompts=13)
    assert len(prompts(config, seed=0, evaluation=False)) == 13
    assert prompts(config, 0, evaluation=False) == prompts(config, 1, evaluation=False)
    rows, _ = stream(config, seed=2, steps=25)
    assert len(np.unique(rows.reshape(-1, rows.shape[-1]), axis=0)) == 13
    # Evaluation is not limited.
    assert prompts(config, 0, True) == prompts(TASKS[name], 0, True)


@pytest.mark.parametrize("name", TASKS)
def test_any_tokens_are_scored(name):
    environment = environments.make(TASKS[name], 40, seed=1)
    spec = environment.action_spec()
    generator = np.random.default_rng(6)
    actions = generator.integers(spec.maximum + 1, size=(40, *spec.shape))
    actions[0], actions[1] = PAD, EOS
    environment.reset()
    timestep = environment.step(actions.astype(np.int32))
    assert np.isfinite(timestep.reward).all()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("Markov", {"order": 0}, "order must be at least 1, got 0"),
        ("Markov", {"order": 5}, "order must be so small that .*, got 5"),
        ("Markov", {"prompt_columns": 1}, "prompt_columns must be at least 2, got 1"),
        ("Markov", {"floor": 0.0}, "floor must be above 0 and at most 1, got 0"),
        ("Markov", {"concentration": 0.0}, "concentration must be above 0, got 0"),
        ("Preferences", {"symbols": 1}, "symbols must be at least 2, got 1"),
        ("Preferences", {"prompts": -1}, "prompts must be at least 0, got -1"),
        ("Facts", {"facts": 5}, "facts must be even and between 2 and 20, got 5"),
        ("Facts", {"planted": 1.5}, "planted must be between 0 and 1, got 1.5"),
        ("Facts", {"completion_columns": 8}, "completion_columns must be at least 9"),
        ("Text", {"unit": "words"}, "unit must be one of characters, pieces"),
        ("Text", {"prompt_columns": 0}, "prompt_columns must be between 1 and 1,000"),
        ("Text", {"completion_columns": 1_001}, "completion_columns must be between"),
    ],
)
def test_impossible_settings_are_refused(name, settings, message):
    with pytest.raises(ValueError, match=rf"environment\.{message}"):
        getattr(environments, name)(**settings)
