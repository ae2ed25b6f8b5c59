"""Reference returns of tasks, from our tables and from D4RL."""

import pytest

from experiments.catalogue.suites import SUITES
from experiments.reporting import scales
from launch.runs import serialization


def of(kind, **environment):
    return scales.scales({"kind": kind, **environment})


def test_scales_of_each_kind_of_task():
    pong = of("Atari", game="pong")
    assert pong[scales.HUMAN] == (-20.7, 14.6)
    assert pong[scales.DQN].low == -20.7 and pong[scales.DQN].high == pytest.approx(
        16.6, abs=0.1
    )
    assert of("Atari", game="air_raid") == {}  # nobody measured random play
    assert list(of("Atari", game="surround")) == [scales.HUMAN]
    # DQN and random play both return 0, which gives no scale.
    assert list(of("Atari", game="montezuma_revenge")) == [scales.HUMAN]
    assert of("MinAtar", game="asterix") == {scales.DQN: (0.55, 19.8)}
    assert of("Locomotion", name="Hopper-v5") == {scales.D4RL: (-20.272305, 3234.3)}
    assert of("Locomotion", name="Humanoid-v5") == {}
    assert of("Adroit", name="pen")[scales.D4RL].high == pytest.approx(3076.8, abs=0.1)
    assert of("ControlSuite", name="hopper-hop") == {scales.SHARE: (0, 1000)}
    assert of("Catch") == {}


def test_random_play():
    assert scales.random_return({"kind": "Atari", "game": "surround"}) == -10.0
    assert scales.random_return({"kind": "Catch"}) is None
    # The scale of the control suite begins at 0, which random play exceeds.
    assert scales.random_return({"kind": "ControlSuite", "name": "walker-walk"}) is None
    hopper = scales.random_return({"kind": "Locomotion", "name": "Hopper-v5"})
    assert hopper == pytest.approx(-20.3, abs=0.1)


def test_every_task_of_a_suite_but_those_without_reference_has_a_scale():
    without = [
        name
        for suite in SUITES.values()
        for name, task in suite.tasks.items()
        if not scales.scales(serialization.to_plain(task.environment.config()))
    ]
    expected = ["air_raid", "carnival", "elevator_action", "journey_escape", "pooyan"]
    assert without == [*expected, "humanoid"]
    assert scales.MEANINGS.keys() == scales.ENDS.keys()
