"""The roster, also after Courier has made plain tuples of it."""

from launch.roles.roster import Member, Roster


def test_a_roster_that_came_through_a_call_holds_plain_tuples():
    sent = Roster(70, {"actor/3": Member(2, 1, 30)})
    received = Roster(sent.steps, {"actor/3": (2, 1, 30)})
    assert received.has_reported("actor/3", 2) == sent.has_reported("actor/3", 2)
    assert not received.has_reported("actor/3", 1)
    assert not received.has_reported("actor/4", 0)
