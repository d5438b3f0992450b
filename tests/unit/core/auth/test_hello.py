"""The first command, and what its reply says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import bson
import pytest
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.auth.hello import (
    check_compatible,
    heartbeat_command,
    hello_command,
    parse_hello,
)
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.wire_versions import MAX_WIRE_VERSION, MIN_WIRE_VERSION
from aiomongo_tls.errors import ConfigurationError, MongoError, NotPrimaryError, OperationFailure, ProtocolError

HOST = ServerAddress("db.example.net", 27018)
FIELDS = {"speculativeAuthenticate": {"authenticate": 1, "mechanism": "MONGODB-X509"}}
STANDALONE = {"ismaster": True, "minWireVersion": 0, "maxWireVersion": 25, "ok": 1.0}


class TestCommand:
    """The first command."""

    def test_legacy_name_first(self):
        """The first command is the legacy hello that asks for helloOk."""
        assert list(hello_command(client={"driver": {}}).items()) == [
            ("isMaster", 1),
            ("helloOk", True),
            ("backpressure", "2"),
            ("client", {"driver": {}}),
            ("compression", []),
        ]

    def test_behind_a_load_balancer(self):
        """A load balancer is told what we take it for; the name is the new one, as every server behind one knows it."""
        command = hello_command(client=None, load_balanced=True)
        assert next(iter(command)) == "hello"
        assert command["loadBalanced"] is True

    def test_heartbeats_say_nothing_of_the_client(self):
        """A later hello carries the topology version, if the server is to wait for news, and nothing else."""
        assert heartbeat_command(hello_ok=False) == {"isMaster": 1, "helloOk": True}
        version = {"processId": bson.ObjectId(), "counter": bson.Int64(4)}
        assert heartbeat_command(hello_ok=True, topology_version=version, max_await_time=10.0) == {
            "hello": 1,
            "topologyVersion": version,
            "maxAwaitTimeMS": 10_000,
        }

    def test_speculation(self):
        """With a credential the authentication goes along, without one it does not."""
        assert hello_command(client=None, authentication=FIELDS)["speculativeAuthenticate"] == {
            "authenticate": 1,
            "mechanism": "MONGODB-X509",
        }
        assert "speculativeAuthenticate" not in hello_command(client=None)

    def test_can_be_encoded(self):
        """The command is plain BSON."""
        assert bson.decode(bson.encode(hello_command(client={}, authentication=FIELDS)))["isMaster"] == 1


class TestDescription:
    """A good reply."""

    def test_whole_reply(self):
        """Every field lands in its place."""
        reply = {
            **STANDALONE,
            "helloOk": True,
            "setName": "rs0",
            "maxBsonObjectSize": 1000,
            "maxMessageSizeBytes": 3000,
            "maxWriteBatchSize": 10,
            "logicalSessionTimeoutMinutes": 30,
            "connectionId": 12,
            "speculativeAuthenticate": {"dbname": "$external", "user": "CN=Ada"},
        }
        description = parse_hello(reply, host=HOST)
        assert description.address == HOST
        assert description.server_type is ServerType.RS_PRIMARY
        assert (description.min_wire_version, description.max_wire_version) == (0, 25)
        assert description.max_bson_object_size == 1000
        assert description.max_message_size_bytes == 3000
        assert description.max_write_batch_size == 10
        assert description.logical_session_timeout_minutes == 30
        assert description.connection_id == 12
        assert description.set_name == "rs0"
        assert description.hello_ok is True
        assert description.speculative_reply == {"dbname": "$external", "user": "CN=Ada"}
        del reply["speculativeAuthenticate"]
        assert description.hello == reply

    def test_customary_limits(self):
        """What a server does not say is what servers customarily take; sessions are not assumed."""
        description = parse_hello(STANDALONE)
        assert description.max_bson_object_size == 16_777_216
        assert description.max_message_size_bytes == 48_000_000
        assert description.max_write_batch_size == 100_000
        assert description.logical_session_timeout_minutes is None
        assert description.connection_id is None
        assert description.set_name is None
        assert description.hello_ok is False
        assert description.speculative_reply is None

    @pytest.mark.parametrize("value", [25, 25.0, Int64(25)])
    def test_numbers_of_any_type(self, value: object):
        """A number may come as any numeric type, and becomes a plain int."""
        version = parse_hello({"ok": 1, "maxWireVersion": value}).max_wire_version
        assert version == 25
        assert type(version) is int

    def test_connection_id_may_be_large(self):
        """Proxies give connection numbers beyond int32."""
        assert parse_hello({**STANDALONE, "connectionId": 2**40}).connection_id == 2**40

    def test_whole_reply_cannot_be_changed(self):
        """The description is a value."""
        with pytest.raises(TypeError):
            parse_hello(STANDALONE).hello["x"] = 1  # type: ignore[index]

    @pytest.mark.parametrize(
        ("fields", "server_type"),
        [
            ({}, ServerType.STANDALONE),
            ({"msg": "isdbgrid"}, ServerType.MONGOS),
            ({"msg": "something"}, ServerType.STANDALONE),
            ({"setName": "rs", "ismaster": True}, ServerType.RS_PRIMARY),
            ({"setName": "rs", "isWritablePrimary": True}, ServerType.RS_PRIMARY),
            ({"setName": "rs", "ismaster": False, "secondary": True}, ServerType.RS_SECONDARY),
            ({"setName": "rs", "arbiterOnly": True}, ServerType.RS_ARBITER),
            ({"setName": "rs"}, ServerType.RS_OTHER),
            ({"setName": "rs", "hidden": True, "secondary": True}, ServerType.RS_OTHER),
            ({"isreplicaset": True}, ServerType.RS_GHOST),
        ],
    )
    def test_server_type(self, fields: dict[str, Any], server_type: ServerType):
        """The type follows the table of the discovery specification."""
        assert parse_hello({"ok": 1, "maxWireVersion": 25, **fields}).server_type is server_type

    def test_type_names_are_the_specification_s(self):
        """A type prints as the specification names it."""
        assert {str(kind) for kind in ServerType} == {
            "Unknown",
            "Standalone",
            "Mongos",
            "PossiblePrimary",
            "RSPrimary",
            "RSSecondary",
            "RSArbiter",
            "RSOther",
            "RSGhost",
            "LoadBalancer",
        }


def check(reply: Mapping[str, Any], *, host: ServerAddress | None = None) -> None:
    check_compatible(parse_hello(reply, host=host))


class TestCompatibility:
    """Wire versions in common."""

    def test_our_range(self):
        """We speak the versions of MongoDB 4.2 and newer."""
        assert (MIN_WIRE_VERSION, MAX_WIRE_VERSION) == (8, 29)

    @pytest.mark.parametrize(("low", "high"), [(0, 8), (0, 25), (8, 29), (29, 29), (29, 999), (0, 999)])
    def test_overlap(self, low: int, high: int):
        """One version in common is enough."""
        check({"ok": 1, "minWireVersion": low, "maxWireVersion": high})

    def test_server_too_old(self):
        """An old server is named with its version, ours, and the mend."""
        with pytest.raises(ConfigurationError) as info:
            check({"ok": 1, "maxWireVersion": 7}, host=HOST)
        assert str(info.value) == (
            "Server at db.example.net:27018 reports wire version 7, "
            "but this version of aiomongo_tls requires at least 8 (MongoDB 4.2). Upgrade the server."
        )

    def test_server_too_new(self):
        """A server that has dropped our versions is named likewise."""
        with pytest.raises(ConfigurationError) as info:
            check({"ok": 1, "minWireVersion": 30, "maxWireVersion": 40}, host=HOST)
        assert str(info.value) == (
            "Server at db.example.net:27018 requires wire version 30, "
            "but this version of aiomongo_tls only supports up to 29. Use a newer aiomongo_tls."
        )

    def test_no_version_at_all(self):
        """Versions that are not given are 0, which is too old."""
        with pytest.raises(ConfigurationError, match="The server reports wire version 0"):
            check({"ok": 1})


class TestRefusals:
    """A reply that cannot be used."""

    def test_server_error(self):
        """A server that answers with an error is reported with that error."""
        with pytest.raises(OperationFailure, match="no such command") as info:
            parse_hello({"ok": 0, "code": 59, "errmsg": "no such command"})
        assert info.value.code == 59

    def test_server_going_away(self):
        """A server that shuts down says so with its code."""
        with pytest.raises(NotPrimaryError) as info:
            parse_hello({"ok": 0, "code": 91, "errmsg": "shutting down"}, host=HOST)
        assert info.value.host == HOST

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("maxWireVersion", "25"),
            ("maxWireVersion", True),
            ("maxWireVersion", -1),
            ("maxWireVersion", 25.5),
            ("maxWireVersion", math.nan),
            ("maxWireVersion", math.inf),
            ("maxWireVersion", 2**31),
            ("minWireVersion", []),
            ("maxBsonObjectSize", 0),
            ("maxBsonObjectSize", b"1"),
            ("maxMessageSizeBytes", -5),
            ("maxWriteBatchSize", {}),
            ("logicalSessionTimeoutMinutes", "30"),
            ("connectionId", 2**63),
            ("setName", 5),
            ("helloOk", "yes"),
            ("isreplicaset", "yes"),
            ("speculativeAuthenticate", []),
        ],
    )
    def test_field_of_the_wrong_type(self, name: str, value: object):
        """A field that cannot be what it is, is named with what was found."""
        with pytest.raises(ProtocolError, match=name) as info:
            parse_hello({**STANDALONE, name: value})
        assert repr(value)[:60] in str(info.value)

    def test_long_values_are_cut_in_the_message(self):
        """A peer cannot fill the log."""
        with pytest.raises(ProtocolError) as info:
            parse_hello({**STANDALONE, "maxWireVersion": "x" * 10_000})
        assert len(str(info.value)) < 200


NAMES = (
    "ok",
    "isreplicaset",
    "ismaster",
    "secondary",
    "hidden",
    "arbiterOnly",
    "msg",
    "setName",
    "minWireVersion",
    "maxWireVersion",
    "maxBsonObjectSize",
    "maxMessageSizeBytes",
    "maxWriteBatchSize",
    "logicalSessionTimeoutMinutes",
    "connectionId",
    "helloOk",
    "speculativeAuthenticate",
    "code",
    "errmsg",
)
STRANGE = (None, True, 0, 1, -1, 25, 2**70, 1.5, math.nan, math.inf, "x", b"x", [], {}, [{}])


def outcome(reply: Mapping[str, Any]) -> str:
    try:
        return repr(parse_hello(reply, host=HOST))
    except MongoError as error:
        return str(error)


@given(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(STRANGE)), st.booleans())
def test_hostile_replies(reply: dict[str, Any], good_start: bool):
    """Whatever types a peer sends, the answer is a description or one of our errors."""
    assert outcome({**STANDALONE, **reply} if good_start else reply)
