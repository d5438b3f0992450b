"""The table of turns."""

from __future__ import annotations

from aiomongo_tls.core.wire.states import TRANSITIONS, Event, State


def test_every_state_has_a_row():
    """No state is forgotten."""
    assert set(TRANSITIONS) == set(State)


def test_nothing_leads_out_of_broken():
    """Broken is for ever, and closed only closes again."""
    assert TRANSITIONS[State.BROKEN] == {}
    assert set(TRANSITIONS[State.CLOSED].values()) == {State.CLOSED}


def test_nothing_but_a_violation_leads_to_broken():
    """No ordinary event breaks a connection."""
    assert State.BROKEN not in {after for row in TRANSITIONS.values() for after in row.values()}


def test_replies_only_while_due_requests_only_while_idle():
    """The two ends never speak at once."""
    requests = {Event.REQUEST, Event.EXHAUST_REQUEST, Event.ONE_WAY}
    replies = {Event.REPLY, Event.REPLY_OF_STREAM}
    for state, row in TRANSITIONS.items():
        assert not (requests & row.keys() and replies & row.keys()), state
    assert requests <= TRANSITIONS[State.IDLE].keys()
    assert Event.REPLY_OF_STREAM not in TRANSITIONS[State.REPLY_DUE]
