"""What actors ask the learner for."""

import pytest

from launch.variables import network_names
from tests.agents.cases import VECTORS, make


@pytest.mark.launchpad
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mdqn", ["q"]),
        ("miqn", ["z"]),
        ("momentum_dqn", ["h"]),
        ("md_direct", ["policy"]),
        ("deep_cpi", ["policy"]),
        ("dvw_mdqn", ["q"]),
    ],
)
def test_only_the_networks_of_the_policy_are_fetched(name, expected):
    assert network_names(make(name), VECTORS) == expected
