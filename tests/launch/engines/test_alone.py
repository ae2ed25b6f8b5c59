"""A role that is served without a program."""

import pytest

from launch.engines import alone

pytestmark = pytest.mark.launchpad


class Adding:
    def add(self, first, second):
        return first + second


def test_a_served_role_is_called_through_courier():
    with alone.served(Adding(), ["add"]) as peer:
        assert peer.add(3, 4) == 7
        assert peer.begin("add", 5, 6).result(timeout=30) == 11
