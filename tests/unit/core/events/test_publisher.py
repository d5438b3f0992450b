"""Who is told of which event."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from bson import ObjectId

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.events import pool_events, tls_events, topology_events
from aiomongo_tls.core.events.listeners import (
    LISTENERS,
    ConnectionPoolListener,
    ServerHeartbeatListener,
    ServerListener,
    TLSHandshakeListener,
    TopologyListener,
)
from aiomongo_tls.core.events.publisher import NOBODY, EventPublisher

HERE = ServerAddress("db.example.net")
VALUES: dict[str, Any] = {
    "address": HERE,
    "server_address": HERE,
    "connection_id": 1,
    "topology_id": ObjectId(),
    "options": {},
    "reason": "error",
    "duration": 0.5,
    "reply": {},
    "previous_description": None,
    "new_description": None,
    "server_name": "db.example.net",
    "monitors": False,
    "dns_duration": 0.1,
    "tcp_duration": 0.1,
    "tls_duration": 0.1,
    "version": "TLSv1.3",
    "cipher": "TLS_AES_256_GCM_SHA384",
    "resumed": False,
    "failure": None,
}


def recorder(kind: type[Any]) -> tuple[Any, list[tuple[str, object]]]:
    """A listener of this kind with each of its methods overridden, and what it was told."""
    told: list[tuple[str, object]] = []

    def method(name: str) -> Any:
        return lambda self, event: told.append((name, event))

    names = [name for name, _ in inspect.getmembers(kind, inspect.isfunction)]
    return type("Recorder", (kind,), {name: method(name) for name in names})(), told


def made(event: type[Any]) -> object:
    """An event of this class."""
    fields = event.__dataclass_fields__
    return event(**{name: value for name, value in VALUES.items() if name in fields})


def events(module: Any) -> list[type[Any]]:
    """The classes of events in a module, without those that only others inherit from."""
    found = [value for value in vars(module).values() if hasattr(value, "__dataclass_fields__")]
    return [event for event in found if not event.__subclasses__()]


POOL_EVENTS = events(pool_events)
TOPOLOGY_EVENTS = events(topology_events)
TLS_EVENTS = events(tls_events)


def test_eleven_events_of_pools() -> None:
    """As many as the specification has."""
    assert len(POOL_EVENTS) == 11


@pytest.mark.parametrize("event", [*POOL_EVENTS, *TOPOLOGY_EVENTS, *TLS_EVENTS])
def test_each_event_has_one_method_of_one_listener(event: type[Any]) -> None:
    """Nobody else is told."""
    listeners = [recorder(kind) for kind in LISTENERS]
    published = made(event)
    EventPublisher([listener for listener, _ in listeners]).publish(published)
    ((name, told),) = [entry for _, told in listeners for entry in told]
    assert told is published
    # PyMongo's names: ConnectionCheckedInEvent is told to connection_checked_in, ServerOpeningEvent to opened.
    words = name.replace("opened", "opening").replace("_", "")
    assert words in event.__name__.lower().replace("opened", "opening")


def test_every_method_is_told_of_something() -> None:
    """No method of a listener is there in vain."""
    for kind in LISTENERS:
        listener, told = recorder(kind)
        publisher = EventPublisher([listener])
        for event in (*POOL_EVENTS, *TOPOLOGY_EVENTS, *TLS_EVENTS):
            publisher.publish(made(event))
        assert {name for name, _ in told} == {name for name, _ in inspect.getmembers(kind, inspect.isfunction)}


def test_what_is_wanted_is_known_before() -> None:
    """So that no event is made for nobody."""

    def wants(publisher: EventPublisher) -> tuple[bool, ...]:
        return (
            publisher.wants_pool,
            publisher.wants_server,
            publisher.wants_heartbeat,
            publisher.wants_topology,
            publisher.wants_tls,
        )

    assert wants(NOBODY) == (False, False, False, False, False)
    assert wants(EventPublisher([ConnectionPoolListener()])) == (True, False, False, False, False)
    assert wants(EventPublisher([ServerListener()])) == (False, True, False, False, False)
    assert wants(EventPublisher([ServerHeartbeatListener()])) == (False, False, True, False, False)
    assert wants(EventPublisher([TopologyListener()])) == (False, False, False, True, False)
    assert wants(EventPublisher([TLSHandshakeListener()])) == (False, False, False, False, True)


def test_listeners_are_told_in_their_order_and_need_not_listen_to_everything() -> None:
    """What is not overridden does nothing."""
    (first, told), second = recorder(ConnectionPoolListener), ConnectionPoolListener()
    other, also_told = recorder(ConnectionPoolListener)
    publisher = EventPublisher([first, second, other])
    publisher.publish(made(pool_events.PoolReadyEvent))
    assert [name for name, _ in told + also_told] == ["pool_ready", "pool_ready"]


def test_what_a_listener_raises_goes_no_further() -> None:
    """The others are told all the same, and whoever asked for it learns of the error."""

    class Broken(ConnectionPoolListener):
        def pool_ready(self, event: pool_events.PoolReadyEvent) -> None:
            raise ValueError("broken")

    broken = Broken()
    other, told = recorder(ConnectionPoolListener)
    errors: list[tuple[object, str]] = []
    EventPublisher([broken, other], lambda listener, error: errors.append((listener, str(error)))).publish(
        made(pool_events.PoolReadyEvent)
    )
    assert errors == [(broken, "broken")]
    assert len(told) == 1
    EventPublisher([broken]).publish(made(pool_events.PoolReadyEvent))


def test_events_are_values() -> None:
    """They can be compared, and say what they are."""
    event = pool_events.ConnectionClosedEvent(
        address=HERE, connection_id=3, reason=pool_events.ConnectionClosedReason.IDLE
    )
    assert event == pool_events.ConnectionClosedEvent(
        address=HERE, connection_id=3, reason=pool_events.ConnectionClosedReason.IDLE
    )
    assert str(event.reason) == "idle"
    assert "connection_id=3" in repr(event)
