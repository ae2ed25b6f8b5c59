"""Dopamine's settings: an update every 4 steps, a copy every 100."""

from experiments.catalogue import dopamine


def test_the_settings_are_those_of_dopamines_cartpole():
    settings = dopamine.SETTINGS
    batch, samples = (
        settings["storage.batch_size"],
        settings["storage.samples_per_insert"],
    )
    assert batch / samples == 4  # agent steps for each update
    assert 4 * settings["target_update_period"] == 100  # agent steps
    assert settings["exploration.initial"] == settings["exploration.final"] == 0.01
    assert dopamine.CARTPOLE.steps == 500_000
    assert dopamine.CARTPOLE.environment.settings["protocol"] == "dopamine"
