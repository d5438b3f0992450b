"""The conversation between a client and a server as a table: state -> event -> next state.

Two rules: all that is known about whose turn it is lives here, and this file does not know which end we are.
An event happens the same way on both ends; the one sends the message, the other receives it. An event without an entry
is not allowed in that state.

What does not fit the table is in `protocol`:

- each reply names the message it answers: the request, or, in a stream of replies, the reply before it;
- the half of a message belongs to no state: the stream must not end there;
- any violation by the peer leads to BROKEN, from every state, and nothing leads out of it.

Specification: message/OP_MSG, "moreToCome on responses", "exhaustAllowed"; a connection is not pipelined.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a conversation stands.

    A StrEnum because its hash is computed in C: states and events are looked up for every message.
    """

    IDLE = "idle"
    """The client may send a request."""
    REPLY_DUE = "reply-due"
    """The server owes one reply."""
    REPLIES_DUE = "replies-due"
    """The server owes a reply, and may say in it that another one follows (exhaust)."""
    CLOSED = "closed"
    """The peer's stream has ended between two messages."""
    BROKEN = "broken"
    """The peer broke the rules; the first error is the answer to everything."""


class Event(StrEnum):
    """What can happen."""

    REQUEST = "a request"
    EXHAUST_REQUEST = "a request that allows a stream of replies"
    ONE_WAY = "a request that wants no reply"
    REPLY = "a reply"
    REPLY_OF_STREAM = "a reply that announces another one"
    END = "the end of the stream"


TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    State.IDLE: {
        Event.REQUEST: State.REPLY_DUE,
        Event.EXHAUST_REQUEST: State.REPLIES_DUE,
        Event.ONE_WAY: State.IDLE,
        Event.END: State.CLOSED,
    },
    State.REPLY_DUE: {
        Event.REPLY: State.IDLE,
        Event.END: State.CLOSED,
    },
    State.REPLIES_DUE: {
        Event.REPLY: State.IDLE,
        Event.REPLY_OF_STREAM: State.REPLIES_DUE,
        Event.END: State.CLOSED,
    },
    State.CLOSED: {
        Event.END: State.CLOSED,
    },
    State.BROKEN: {},
}
