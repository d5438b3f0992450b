"""How every connection begins, compared with bytes worked out by hand from the specifications."""

from __future__ import annotations

from typing import Any

import bson
import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.auth.conversation import CommandDocument, decode_reply
from aiomongo_tls.core.auth.facts import ConnectionFacts
from aiomongo_tls.core.auth.hello import StreamDescription, parse_hello
from aiomongo_tls.core.auth.opening import opening, reauthentication
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.core.wire.op_msg import OpMsg
from aiomongo_tls.core.wire.protocol import Role, WireProtocol
from aiomongo_tls.errors import AuthenticationFailed, ConfigurationError, OperationFailure, Phase, ProtocolError

HOST = ServerAddress("db.example.net")
FACTS = ConnectionFacts(host=HOST, tls=True, certificate=True, subject="CN=Ada")


def nonce() -> str:
    """RFC 7677's."""
    return "rOprNGfwEbeRWgbNEkqO"


X509 = MongoCredential(source="$external", mechanism="MONGODB-X509")
CLIENT = {"driver": {"name": "aiomongo_tls", "version": "0.1"}, "os": {"type": "Linux"}}

# {authenticate: 1, mechanism: "MONGODB-X509"} without length and end: 18 + 28 bytes
AUTHENTICATE = bytes.fromhex(
    "10 61757468656e74696361746500 01000000"  # int32 "authenticate" = 1
    "02 6d656368616e69736d00 0d000000 4d4f4e474f44422d5835303900"  # string "mechanism" = "MONGODB-X509"
)

HELLO_MESSAGE = (
    bytes.fromhex(
        "0e010000"  # messageLength: 16 + 4 + 1 + 249 = 270
        "01000000 00000000 dd070000"  # requestID 1, responseTo 0, opCode 2013
        "00000000 00"  # flagBits, section kind 0
        "f9000000"  # document: 4 + 14 + 10 + 20 + 91 + 18 + 76 + 15 + 1 = 249
        "10 69734d617374657200 01000000"  # int32 "isMaster" = 1
        "08 68656c6c6f4f6b00 01"  # boolean "helloOk" = true
        "02 6261636b707265737375726500 02000000 3200"  # string "backpressure" = "2"
        "03 636c69656e7400"  # document "client"
        "  53000000"  # 4 + 53 + 25 + 1 = 83
        "  03 64726976657200"  # document "driver"
        "    2d000000"  # 4 + 23 + 17 + 1 = 45
        "    02 6e616d6500 0d000000 61696f6d6f6e676f5f746c7300"  # string "name" = "aiomongo_tls"
        "    02 76657273696f6e00 04000000 302e3100"  # string "version" = "0.1"
        "    00"
        "  03 6f7300"  # document "os"
        "    15000000"  # 4 + 16 + 1 = 21
        "    02 7479706500 06000000 4c696e757800"  # string "type" = "Linux"
        "    00"
        "  00"
        "04 636f6d7072657373696f6e00 05000000 00"  # array "compression" = []
        "03 73706563756c617469766541757468656e74696361746500"  # document "speculativeAuthenticate"
        "  33000000"  # 4 + 18 + 28 + 1 = 51
    )
    + AUTHENTICATE
    + bytes.fromhex(
        "  00"
        "02 24646200 06000000 61646d696e00"  # string "$db" = "admin"
        "00"
    )
)

# The reply of a server that answers the speculation: nothing is left to send.
HELLO_REPLY = bytes.fromhex(
    "8a000000"  # messageLength: 16 + 4 + 1 + 117 = 138
    "2a000000 01000000 dd070000"  # requestID 42, responseTo 1, opCode 2013
    "00000000 00"  # flagBits, section kind 0
    "75000000"  # document: 4 + 11 + 20 + 69 + 12 + 1 = 117
    "08 69736d617374657200 01"  # boolean "ismaster" = true
    "10 6d61785769726556657273696f6e00 19000000"  # int32 "maxWireVersion" = 25
    "03 73706563756c617469766541757468656e74696361746500"  # document "speculativeAuthenticate"
    "  2c000000"  # 4 + 22 + 17 + 1 = 44
    "  02 64626e616d6500 0a000000 2465787465726e616c00"  # string "dbname" = "$external"
    "  02 7573657200 07000000 434e3d41646100"  # string "user" = "CN=Ada"
    "  00"
    "01 6f6b00 000000000000f03f"  # double "ok" = 1.0
    "00"
)

AUTHENTICATE_MESSAGE = (
    bytes.fromhex(
        "5b000000"  # messageLength: 16 + 4 + 1 + 70 = 91
        "02000000 00000000 dd070000"  # requestID 2, responseTo 0, opCode 2013
        "00000000 00"  # flagBits, section kind 0
        "46000000"  # document: 4 + 18 + 28 + 19 + 1 = 70
    )
    + AUTHENTICATE
    + bytes.fromhex(
        "02 24646200 0a000000 2465787465726e616c00"  # string "$db" = "$external"
        "00"
    )
)
AUTHENTICATE_AS_MESSAGE = (
    bytes.fromhex(
        "6c000000"  # messageLength: 16 + 4 + 1 + 87 = 108
        "02000000 00000000 dd070000"
        "00000000 00"
        "57000000"  # document: 4 + 18 + 28 + 17 + 19 + 1 = 87
    )
    + AUTHENTICATE
    + bytes.fromhex(
        "02 7573657200 07000000 434e3d41646100"  # string "user" = "CN=Ada"
        "02 24646200 0a000000 2465787465726e616c00"
        "00"
    )
)

# A hello that negotiates: the user's mechanisms are asked for, and SCRAM-SHA-256 is begun on a guess.
SCRAM = MongoCredential(username="user", password="pencil", source="app")
SCRAM_HELLO_MESSAGE = (
    bytes.fromhex("89010000 01000000 00000000 dd070000 00000000 00")  # 16 + 4 + 1 + 372 = 393
    + bytes.fromhex("74010000")  # document: 157 + 33 + 166 + 15 + 1 = 372
    + HELLO_MESSAGE[25:178]  # up to "compression", as above: with the length 4 + 14 + 10 + 20 + 91 + 18 = 157
    + b"\x02saslSupportedMechs\x00\x09\x00\x00\x00app.user\x00"  # 33
    + b"\x03speculativeAuthenticate\x00\x8d\x00\x00\x00"  # 25; document: 4 + 15 + 29 + 46 + 34 + 12 + 1 = 141
    + b"\x10saslStart\x00\x01\x00\x00\x00"  # 15
    + b"\x02mechanism\x00\x0e\x00\x00\x00SCRAM-SHA-256\x00"  # 29
    + b"\x05payload\x00\x20\x00\x00\x00\x00n,,n=user,r=rOprNGfwEbeRWgbNEkqO"  # 46: binary, subtype 0
    + b"\x03options\x00\x19\x00\x00\x00\x08skipEmptyExchange\x00\x01\x00"  # 34
    + b"\x02db\x00\x04\x00\x00\x00app\x00"  # 12
    + b"\x00"
    + b"\x02$db\x00\x06\x00\x00\x00admin\x00"  # 15
    + b"\x00"
)

OLD_HELLO = {"ismaster": True, "maxWireVersion": 8, "ok": 1.0}  # 4.2 does not know speculation
REFUSED = {"ok": 0.0, "errmsg": "Authentication failed.", "code": 18, "codeName": "AuthenticationFailed"}


def reply_to(request: bytes, document: dict[str, Any]) -> bytes:
    """What a server would answer."""
    server = WireProtocol(Role.SERVER)
    (message,) = server.receive_data(request)
    return server.send_reply(message, bson.encode(document))


def talk(
    credential: MongoCredential | None, *replies: dict[str, Any]
) -> tuple[list[CommandDocument], StreamDescription]:
    """Hold the conversation with these replies."""
    conversation = opening(CLIENT, credential, FACTS, new_nonce=nonce)
    commands = [next(conversation)]
    for reply in replies:
        try:
            commands.append(conversation.send(reply))
        except StopIteration as end:
            assert len(commands) == len(replies)
            return commands, end.value
    raise AssertionError("the conversation wants to go on")


def test_hand_made_messages_are_what_they_claim():
    """The messages written by hand mean what their comments say (a separate look through bson)."""
    assert bson.decode(HELLO_MESSAGE[21:]) == {
        "isMaster": 1,
        "helloOk": True,
        "backpressure": "2",
        "client": CLIENT,
        "compression": [],
        "speculativeAuthenticate": {"authenticate": 1, "mechanism": "MONGODB-X509"},
        "$db": "admin",
    }
    assert bson.decode(AUTHENTICATE_AS_MESSAGE[21:]) == {
        "authenticate": 1,
        "mechanism": "MONGODB-X509",
        "user": "CN=Ada",
        "$db": "$external",
    }


def test_golden_opening_in_one_round_trip():
    """The first hello speculates, byte for byte; a reply that answers it leaves nothing to send."""
    protocol = WireProtocol(Role.CLIENT)
    conversation = opening(CLIENT, X509, FACTS, new_nonce=nonce)
    assert protocol.send_request(next(conversation).encode()) == HELLO_MESSAGE
    (reply,) = protocol.receive_data(HELLO_REPLY)
    assert isinstance(reply.content, OpMsg)
    with pytest.raises(StopIteration) as end:
        conversation.send(decode_reply(reply.content.body))
    description: StreamDescription = end.value.value
    assert description.server_type is ServerType.STANDALONE
    assert description.max_wire_version == 25
    assert description.address == HOST


@pytest.mark.parametrize(("user", "golden"), [(None, AUTHENTICATE_MESSAGE), ("CN=Ada", AUTHENTICATE_AS_MESSAGE)])
def test_golden_opening_in_two_round_trips(user: str | None, golden: bytes):
    """A server that does not answer the speculation is sent the command itself, byte for byte."""
    credential = MongoCredential(username=user, source="$external", mechanism="MONGODB-X509")
    protocol = WireProtocol(Role.CLIENT)
    conversation = opening(CLIENT, credential, FACTS, new_nonce=nonce)
    hello = protocol.send_request(next(conversation).encode())
    protocol.receive_data(reply_to(hello, OLD_HELLO))
    assert protocol.send_request(conversation.send(OLD_HELLO).encode()) == golden
    with pytest.raises(StopIteration):
        conversation.send({"ok": 1.0})


def test_golden_opening_with_scram():
    """The first hello asks and speculates, byte for byte."""
    command = next(opening(CLIENT, SCRAM, FACTS, new_nonce=nonce))
    assert WireProtocol(Role.CLIENT).send_request(command.encode()) == SCRAM_HELLO_MESSAGE


def test_authenticating_again():
    """Neither hello nor speculation: the mechanism alone, from its beginning, with the choice made at first."""
    hello = {**OLD_HELLO, "saslSupportedMechs": ["SCRAM-SHA-256"]}
    description = parse_hello({**hello, "speculativeAuthenticate": {"conversationId": 1}})
    command = next(reauthentication(SCRAM, FACTS, description, new_nonce=nonce))
    assert (command.database, list(command.document)[:2]) == ("app", ["saslStart", "mechanism"])
    assert command.document["mechanism"] == "SCRAM-SHA-256"
    assert "db" not in command.document
    command = next(reauthentication(X509, FACTS, description, new_nonce=nonce))
    assert (command.database, command.document["authenticate"]) == ("$external", 1)


def test_an_answer_to_the_speculation_is_used_once():
    """The description does not keep it."""
    _, description = talk(X509, {**OLD_HELLO, "speculativeAuthenticate": {"user": "CN=Ada"}})
    assert description.speculative_reply is None


def test_phases():
    """Each command says what the connection is doing."""
    commands, _ = talk(X509, OLD_HELLO, {"ok": 1.0})
    assert [(command.database, command.phase) for command in commands] == [
        ("admin", Phase.HELLO),
        ("$external", Phase.AUTH),
    ]


def test_nobody():
    """Without a credential hello is all."""
    commands, description = talk(None, OLD_HELLO)
    assert "speculativeAuthenticate" not in commands[0].document
    assert description.max_wire_version == 8


def test_arbiter():
    """An arbiter has no users and is not asked."""
    _, description = talk(X509, {**OLD_HELLO, "ismaster": False, "setName": "rs", "arbiterOnly": True})
    assert description.server_type is ServerType.RS_ARBITER


def test_refused():
    """A refusal ends the opening."""
    with pytest.raises(AuthenticationFailed, match="createUser"):
        talk(X509, OLD_HELLO, REFUSED)


def test_unknown_mechanism_is_refused_before_anything_is_sent():
    """A mechanism that is not here does not get as far as a command."""
    with pytest.raises(ConfigurationError, match="authMechanism"):
        next(opening(CLIENT, MongoCredential(mechanism="PLAIN"), FACTS, new_nonce=nonce))


@pytest.mark.parametrize(
    ("reply", "cls"),
    [
        ({"ok": 0, "code": 59}, OperationFailure),
        ({"ok": 1, "maxWireVersion": 7}, ConfigurationError),
        ({"ok": 1, "maxWireVersion": "x"}, ProtocolError),
    ],
)
def test_hello_fails(reply: dict[str, Any], cls: type[Exception]):
    """A hello that fails ends the opening before authentication."""
    with pytest.raises(cls) as info:
        talk(X509, reply)
    assert not isinstance(info.value, AuthenticationFailed)
