"""Both ends of a connection, wired together without a socket."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Iterable
from itertools import pairwise

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.core.wire.header import MessageHeader, OpCode, pack_header
from aiomongo_tls.core.wire.legacy import OpQuery
from aiomongo_tls.core.wire.op_msg import DocumentSequence, Flags, OpMsg, sections
from aiomongo_tls.core.wire.protocol import Message, Role, WireProtocol
from aiomongo_tls.core.wire.states import State
from aiomongo_tls.errors import DocumentTooLarge, InvalidOperation, ProtocolError

# {ping: 1, $db: "admin"}, 30 bytes
PING = bytes.fromhex("1e000000 10 70696e6700 01000000 02 24646200 06000000 61646d696e00 00")
# {ok: 1}, 13 bytes
OK = bytes.fromhex("0d000000 10 6f6b00 01000000 00")
# {isMaster: 1}, 19 bytes
HELLO = bytes.fromhex("13000000 10 69734d617374657200 01000000 00")

# The first request of a connection and its reply, byte by byte.
PING_MESSAGE = (
    bytes.fromhex(
        "33000000"  # messageLength: 16 + 4 + 1 + 30 = 51
        "01000000"  # requestID 1
        "00000000"  # responseTo 0
        "dd070000"  # opCode 2013
        "00000000"  # flagBits
        "00"  # section kind 0
    )
    + PING
)
OK_MESSAGE = (
    bytes.fromhex(
        "22000000"  # messageLength: 16 + 4 + 1 + 13 = 34
        "01000000"  # requestID 1: the server counts its own
        "01000000"  # responseTo 1
        "dd070000"  # opCode 2013
        "00000000"  # flagBits
        "00"  # section kind 0
    )
    + OK
)


@pytest.fixture
def client() -> WireProtocol:
    return WireProtocol(Role.CLIENT)


@pytest.fixture
def server() -> WireProtocol:
    return WireProtocol(Role.SERVER)


def reply(response_to: int, *, request_id: int = 9, flags: int = 0, body: bytes = OK) -> bytes:
    """A framed reply that no server protocol would send."""
    payload = struct.pack("<IB", flags, 0) + body
    return pack_header(16 + len(payload), request_id, response_to, OpCode.MSG) + payload


def only(messages: Iterable[Message]) -> Message:
    (message,) = messages
    return message


class TestExchange:
    """One request, one reply."""

    def test_golden_bytes_of_both_ends(self, client: WireProtocol, server: WireProtocol):
        """Request and reply are, byte for byte, what the specification says."""
        assert client.send_request(PING) == PING_MESSAGE
        request = only(server.receive_data(PING_MESSAGE))
        assert request == Message(MessageHeader(51, 1, 0, 2013), OpMsg(0, PING))
        assert server.send_reply(request, OK) == OK_MESSAGE
        assert only(client.receive_data(OK_MESSAGE)) == Message(MessageHeader(34, 1, 1, 2013), OpMsg(0, OK))

    def test_states_of_both_ends_agree(self, client: WireProtocol, server: WireProtocol):
        """Both ends walk through the same states."""
        assert client.is_idle
        assert server.is_idle
        sent = client.send_request(PING)
        request = only(server.receive_data(sent))
        assert client.state is server.state is State.REPLY_DUE
        assert not client.is_idle
        assert not server.is_idle
        client.receive_data(server.send_reply(request, OK))
        assert client.state is server.state is State.IDLE
        assert client.is_idle
        assert server.is_idle

    def test_repr_shows_role_and_state(self, client: WireProtocol, server: WireProtocol):
        """The repr is exact."""
        client.send_request(PING)
        assert repr(client) == "<WireProtocol client reply-due>"
        assert repr(server) == "<WireProtocol server idle>"
        assert (client.role, server.role) == (Role.CLIENT, Role.SERVER)

    def test_many_exchanges(self, client: WireProtocol, server: WireProtocol):
        """Request numbers rise; each reply answers its own request."""
        for number in range(1, 6):
            request = only(server.receive_data(client.send_request(PING)))
            answer = only(client.receive_data(server.send_reply(request, OK)))
            assert request.header.request_id == answer.header.response_to == number

    def test_request_numbers_stay_int32_and_skip_zero(self, client: WireProtocol, server: WireProtocol):
        """After the largest int32 the numbers start again at 1."""
        client._request_id = 2**31 - 2
        numbers: list[int] = []
        for _ in range(3):
            request = only(server.receive_data(client.send_request(PING)))
            numbers.append(request.header.request_id)
            client.receive_data(server.send_reply(request, OK))
        assert numbers == [2**31 - 1, 1, 2]

    def test_sequences_arrive(self, client: WireProtocol, server: WireProtocol):
        """Document sequences travel with the request."""
        sequence = DocumentSequence("documents", (OK, PING))
        request = only(server.receive_data(client.send_request(PING, [sequence])))
        assert request.content == OpMsg(0, PING, (sequence,))


class TestOneWay:
    """Requests that want no reply."""

    def test_no_reply_is_due(self, client: WireProtocol, server: WireProtocol):
        """After a request with moreToCome both ends are idle, and the next request may follow at once."""
        stream = client.send_request(PING, flags=Flags.MORE_TO_COME)
        assert client.is_idle
        stream += client.send_request(PING, flags=Flags.MORE_TO_COME)
        stream += client.send_request(PING)
        first, second, third = server.receive_data(stream)
        assert [m.header.request_id for m in (first, second, third)] == [1, 2, 3]
        with pytest.raises(InvalidOperation):
            server.send_reply(second, OK)
        assert only(client.receive_data(server.send_reply(third, OK))).header.response_to == 3

    def test_reply_to_it_is_refused(self, client: WireProtocol):
        """A server that answers all the same breaks the connection."""
        client.send_request(PING, flags=Flags.MORE_TO_COME)
        with pytest.raises(ProtocolError, match="out of turn"):
            client.receive_data(reply(1))


class TestExhaust:
    """Requests that are answered by a stream of replies."""

    def test_replies_answer_each_other(self, client: WireProtocol, server: WireProtocol):
        """Of a stream of replies each names the one before it."""
        request = only(server.receive_data(client.send_request(PING, flags=Flags.EXHAUST_ALLOWED)))
        stream = b"".join(
            server.send_reply(request, OK, flags=flags) for flags in (Flags.MORE_TO_COME, Flags.MORE_TO_COME, 0)
        )
        replies = client.receive_data(stream)
        assert [(m.header.request_id, m.header.response_to) for m in replies] == [(1, 1), (2, 1), (3, 2)]
        assert client.is_idle
        assert server.is_idle

    def test_client_does_not_speak_meanwhile(self, client: WireProtocol, server: WireProtocol):
        """While replies stream in, nothing may be sent."""
        request = only(server.receive_data(client.send_request(PING, flags=Flags.EXHAUST_ALLOWED)))
        client.receive_data(server.send_reply(request, OK, flags=Flags.MORE_TO_COME))
        assert client.state is State.REPLIES_DUE
        with pytest.raises(InvalidOperation):
            client.send_request(PING)

    def test_server_must_have_been_allowed(self, client: WireProtocol, server: WireProtocol):
        """A server end cannot stream unasked, and a client end refuses a stream it did not allow."""
        request = only(server.receive_data(client.send_request(PING)))
        with pytest.raises(InvalidOperation, match="announces another one"):
            server.send_reply(request, OK, flags=Flags.MORE_TO_COME)
        with pytest.raises(ProtocolError, match="announces another one"):
            client.receive_data(reply(1, flags=Flags.MORE_TO_COME))

    def test_each_reply_is_matched(self, client: WireProtocol):
        """The second reply of a stream must answer the first, not the request."""
        client.send_request(PING, flags=Flags.EXHAUST_ALLOWED)
        client.receive_data(reply(1, request_id=70, flags=Flags.MORE_TO_COME))
        with pytest.raises(ProtocolError, match="reply to request 1, expected one to request 70"):
            client.receive_data(reply(1, request_id=71))


class TestLegacyHello:
    """The first hello of older drivers."""

    MESSAGE = (
        bytes.fromhex(
            "3a000000"  # messageLength: 16 + 4 + 11 + 8 + 19 = 58
            "05000000 00000000 d4070000"  # requestID 5, responseTo 0, opCode 2004
            "00000000"  # flags
            "61646d696e2e24636d6400"  # cstring "admin.$cmd"
            "00000000 ffffffff"  # numberToSkip 0, numberToReturn -1
        )
        + HELLO
    )

    def test_server_answers_in_the_same_format(self, server: WireProtocol):
        """An OP_QUERY is answered with an OP_REPLY."""
        request = only(server.receive_data(self.MESSAGE))
        assert isinstance(request.content, OpQuery)
        assert request.content.query == HELLO
        assert server.send_reply(request, OK) == (
            bytes.fromhex(
                "31000000"  # messageLength: 16 + 20 + 13 = 49
                "01000000 05000000 01000000"  # requestID 1, responseTo 5, opCode 1
                "08000000 0000000000000000 00000000 01000000"
            )
            + OK
        )
        assert server.is_idle

    def test_client_does_not_read_it(self, client: WireProtocol):
        """The client never sends OP_QUERY, so neither it nor OP_REPLY can come back."""
        client.send_request(PING)
        with pytest.raises(ProtocolError, match="opcode 2004, expected 2013"):
            client.receive_data(self.MESSAGE)


class TestTurns:
    """Mistakes of the caller change nothing and break nothing."""

    def test_second_request_before_the_reply(self, client: WireProtocol):
        """One request at a time."""
        client.send_request(PING)
        with pytest.raises(InvalidOperation, match="reply-due"):
            client.send_request(PING)
        assert only(client.receive_data(OK_MESSAGE)).content.body == OK  # type: ignore[union-attr]

    def test_roles_are_kept(self, client: WireProtocol, server: WireProtocol):
        """A server sends no requests, a client no replies."""
        request = only(server.receive_data(client.send_request(PING)))
        with pytest.raises(InvalidOperation, match="server end cannot send a request"):
            server.send_request(PING)
        with pytest.raises(InvalidOperation, match="client end cannot send a reply"):
            client.send_reply(request, OK)

    def test_reply_to_another_request(self, client: WireProtocol, server: WireProtocol):
        """A reply must answer the request that is due, once."""
        first = only(server.receive_data(client.send_request(PING)))
        client.receive_data(server.send_reply(first, OK))
        with pytest.raises(InvalidOperation):
            server.send_reply(first, OK)
        second = only(server.receive_data(client.send_request(PING)))
        with pytest.raises(InvalidOperation, match="not the one"):
            server.send_reply(first, OK)
        assert only(client.receive_data(server.send_reply(second, OK))).header.response_to == 2

    def test_too_large_to_send(self):
        """A message above the limit is not framed, and the turn stays with the caller."""
        client = WireProtocol(Role.CLIENT, max_message_size=51)
        with pytest.raises(DocumentTooLarge, match="64 bytes, the limit is 51"):
            client.send_request(PING, [DocumentSequence("abcdefg", ())])
        assert client.is_idle
        assert client.send_request(PING) == PING_MESSAGE

    def test_limit_can_be_changed(self, client: WireProtocol):
        """Once hello has told the server's limit, it is followed."""
        client.max_message_size = 50
        with pytest.raises(DocumentTooLarge):
            client.send_request(PING)

    def test_limit_told_by_the_peer_is_not_one_for_receiving(self, client: WireProtocol):
        """A server that takes little may answer at length, and cannot raise what we are ready to receive."""
        client.max_message_size = 51
        client.send_request(PING)
        assert only(client.receive_data(reply(1, body=bson.encode({"a": b"x" * 100})))).header.length > 51
        client.max_message_size = 2**31 - 1
        client.send_request(PING)
        with pytest.raises(ProtocolError, match="expected 17 to 48000000"):
            client.receive_data(header(48_000_001, response_to=2))


def header(length: int, *, response_to: int = 1, op_code: int = 2013) -> bytes:
    return pack_header(length, 1, response_to, op_code)


class TestViolations:
    """Mistakes of the peer break the connection."""

    @pytest.mark.parametrize(
        ("data", "complaint"),
        [
            (header(-1), "length as -1"),
            (header(0), "length as 0"),
            (header(16), "length as 16"),
            (header(48_000_001), "length as 48000001"),
            (header(2**31 - 1), "length as 2147483647"),
            (header(-(2**31)), "length as -2147483648"),
            (header(51, op_code=1), "opcode 1, expected 2013"),
            (header(51, op_code=2012), "opcode 2012"),
            (header(51, response_to=2), "reply to request 2, expected one to request 1"),
            (header(51, response_to=0), "reply to request 0"),
            (b"HTTP/1.1 400 Bad Request\r\n", "looks like HTTP"),
            (bytes.fromhex("150301000202460000000000000000ff"), "looks like TLS"),
            (header(17) + b"\0", "too short"),
            (header(26) + bytes.fromhex("00000000 00 0600000000"), "length as 6"),
        ],
    )
    def test_refused_by_the_client(self, client: WireProtocol, data: bytes, complaint: str):
        """A reply that cannot be is refused with what was wrong."""
        client.send_request(PING)
        with pytest.raises(ProtocolError, match=complaint):
            client.receive_data(data)
        assert client.state is State.BROKEN

    @pytest.mark.parametrize(
        ("data", "complaint"),
        [
            (header(51, op_code=1), "opcode 1, expected 2004 or 2013"),
            (b"GET / HTTP/1.1\r\nHost: x\r\n", "looks like HTTP"),
            (bytes.fromhex("16030100f0010000ec0303") + b"?" * 200, "looks like TLS"),
            (header(2**31 - 1), "length as 2147483647"),
        ],
    )
    def test_refused_by_the_server(self, server: WireProtocol, data: bytes, complaint: str):
        """A request that cannot be is refused with what was wrong."""
        with pytest.raises(ProtocolError, match=complaint):
            server.receive_data(data)

    def test_header_is_judged_before_the_rest_has_come(self, client: WireProtocol):
        """The 16th byte is enough to refuse a length; the 15th is not."""
        client.send_request(PING)
        assert client.receive_data(header(-5)[:15]) == []
        with pytest.raises(ProtocolError, match="length as -5"):
            client.receive_data(header(-5)[15:])

    def test_unsolicited_byte(self, client: WireProtocol):
        """One byte on an idle client connection breaks it."""
        with pytest.raises(ProtocolError, match="out of turn, in state idle"):
            client.receive_data(b"\x00")
        assert not client.is_idle

    def test_bytes_behind_the_reply(self, client: WireProtocol):
        """A reply with something behind it is not trusted."""
        client.send_request(PING)
        with pytest.raises(ProtocolError, match="out of turn"):
            client.receive_data(OK_MESSAGE + b"\x00")

    def test_request_before_the_reply(self, server: WireProtocol):
        """A client that does not wait for its reply is refused."""
        server.receive_data(PING_MESSAGE)
        with pytest.raises(ProtocolError, match="out of turn, in state reply-due"):
            server.receive_data(PING_MESSAGE)

    def test_first_error_answers_everything(self, client: WireProtocol):
        """After a violation every call gets the first error, each time as an exception of its own."""
        client.send_request(PING)
        with pytest.raises(ProtocolError) as first:
            client.receive_data(header(3))
        errors: list[ProtocolError] = []
        for call in (
            lambda: client.receive_data(OK_MESSAGE),
            lambda: client.receive_data(b""),
            lambda: client.send_request(PING),
            client.receive_eof,
        ):
            with pytest.raises(ProtocolError) as info:
                call()
            errors.append(info.value)
        assert {str(error) for error in errors} == {str(first.value)}
        assert len({id(error) for error in errors}) == 4
        assert client.state is State.BROKEN

    def test_server_end_stays_broken(self, server: WireProtocol):
        """A broken server end sends no reply."""
        request = only(server.receive_data(PING_MESSAGE))
        with pytest.raises(ProtocolError):
            server.receive_data(b"x")
        with pytest.raises(ProtocolError, match="out of turn"):
            server.send_reply(request, OK)


class TestEnd:
    """The end of the stream."""

    def test_between_messages(self, client: WireProtocol, server: WireProtocol):
        """A stream may end between messages, more than once; nothing can be sent afterwards."""
        for protocol in (client, server):
            protocol.receive_eof()
            protocol.receive_eof()
            assert protocol.state is State.CLOSED
            assert not protocol.is_idle
        with pytest.raises(InvalidOperation, match="closed"):
            client.send_request(PING)
        with pytest.raises(ProtocolError, match="out of turn"):
            server.receive_data(PING_MESSAGE)

    def test_while_a_reply_is_due(self, client: WireProtocol):
        """The end of the stream is no violation even then; the state before tells what was lost."""
        client.send_request(PING)
        client.receive_eof()
        assert client.state is State.CLOSED

    @pytest.mark.parametrize(
        ("length", "complaint"), [(1, "1 of a header"), (15, "15 of a header"), (16, "16 of 34"), (33, "33 of 34")]
    )
    def test_inside_a_message(self, client: WireProtocol, length: int, complaint: str):
        """The end of the stream inside a message is a violation."""
        client.send_request(PING)
        client.receive_data(OK_MESSAGE[:length])
        with pytest.raises(ProtocolError, match=complaint):
            client.receive_eof()
        assert client.state is State.BROKEN

    def test_tls_alert_from_a_tls_server(self, client: WireProtocol):
        """A TLS server that answers plain bytes with an alert is recognised."""
        client.send_request(PING)
        client.receive_data(bytes.fromhex("15030300020246"))
        with pytest.raises(ProtocolError, match="looks like TLS"):
            client.receive_eof()


class TestMemory:
    """What a peer can make us keep."""

    def test_length_field_alone_costs_nothing(self, client: WireProtocol):
        """A header that promises 48 MB makes no buffer of 48 MB."""
        client.send_request(PING)
        tracemalloc.start()
        try:
            client.receive_data(header(48_000_000) + b"\0" * 1000)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 20_000

    def test_large_message_in_small_chunks(self, client: WireProtocol):
        """48 MB in chunks of 16 KB: kept about once, and given back with the message.

        (Quadratic copying would move 70 GB here and be noticed.)
        """
        body = bson.encode({"a": b"\1" * 15_999_000})
        sequence = DocumentSequence("documents", (body, body, body))
        payload = struct.pack("<IB", 0, 0) + OK + b"".join(sections([sequence])[0])
        message = header(16 + len(payload)) + payload
        assert 47_900_000 < len(message) <= 48_000_000
        client.send_request(PING)
        view = memoryview(message)
        for start in range(0, len(message) - 16_384, 16_384):
            assert client.receive_data(view[start : start + 16_384]) == []
            done = start + 16_384
        assert only(client.receive_data(view[done:])).content == OpMsg(0, OK, (sequence,))
        assert client.is_idle

    def test_buffer_is_given_back(self, client: WireProtocol, server: WireProtocol):
        """An idle connection keeps nothing of a large message that came in pieces."""
        request = only(server.receive_data(client.send_request(PING)))
        data = server.send_reply(request, bson.encode({"a": b"\1" * 1_000_000}))
        tracemalloc.start()
        try:
            for start in range(0, len(data), 16_384):
                client.receive_data(data[start : start + 16_384])
            kept, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert client.is_idle
        assert kept < 20_000
        assert peak < 2_600_000  # the buffer with its spare eighth, and the body


documents = st.dictionaries(st.text("ab", max_size=2), st.binary(max_size=40), max_size=2).map(bson.encode)
requests = st.lists(
    st.tuples(documents, st.lists(documents, max_size=3), st.booleans()),
    min_size=1,
    max_size=5,
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:stop] for start, stop in pairwise(bounds)]


@given(requests, st.lists(st.integers(0, 10_000), max_size=30))
def test_any_chunking_gives_the_same_messages(script: list[tuple[bytes, list[bytes], bool]], places: list[int]) -> None:
    """However the stream is cut, the same messages come out."""
    client, server = WireProtocol(Role.CLIENT), WireProtocol(Role.SERVER)
    stream = b""
    for body, documents, _ in script[:-1]:
        stream += client.send_request(body, [DocumentSequence("d", tuple(documents))], flags=Flags.MORE_TO_COME)
    stream += client.send_request(script[-1][0])
    messages = [message for chunk in cut(stream, places) for message in server.receive_data(chunk)]
    assert messages == WireProtocol(Role.SERVER).receive_data(stream)
    assert [message.content.body for message in messages] == [body for body, _, _ in script]  # type: ignore[union-attr]

    # And back: the replies as a stream, byte by byte where the cuts are.
    client = WireProtocol(Role.CLIENT)
    server = WireProtocol(Role.SERVER)
    request = only(server.receive_data(client.send_request(PING, flags=Flags.EXHAUST_ALLOWED)))
    bodies = [body for body, _, _ in script]
    stream = b"".join(
        server.send_reply(request, body, flags=0 if last else Flags.MORE_TO_COME)
        for last, body in zip([False] * (len(bodies) - 1) + [True], bodies, strict=True)
    )
    replies = [message for chunk in cut(stream, places) for message in client.receive_data(chunk)]
    assert [message.content.body for message in replies] == bodies  # type: ignore[union-attr]
    assert client.is_idle


@given(st.sampled_from(Role), st.lists(st.binary(max_size=60), max_size=6), st.binary(max_size=4))
def test_random_bytes_raise_nothing_else(role: Role, chunks: list[bytes], tail: bytes) -> None:
    """Whatever the peer sends, the answer is messages or a ProtocolError."""
    protocol = WireProtocol(role)
    if role is Role.CLIENT:
        protocol.send_request(PING)
    # A believable header now and then, so that the random bytes get past it.
    for chunk in (*chunks, header(16 + len(tail) + 40) + tail + bytes(40)):
        try:
            protocol.receive_data(chunk)
        except ProtocolError:
            assert protocol.state is State.BROKEN
    try:
        protocol.receive_eof()
    except ProtocolError:
        assert protocol.state is State.BROKEN


class TestWholeReply:
    """`receive_reply()`: the straight way of the client."""

    @pytest.fixture
    def asking(self, client: WireProtocol) -> WireProtocol:
        client.send_request(PING)
        return client

    def test_takes_a_whole_reply(self, asking: WireProtocol):
        """One document, no flags: its bytes are handed out and the client may ask again."""
        assert asking.receive_reply(reply(1)) == OK
        assert asking.is_idle

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(reply(1)[:20], id="a part of the first bytes"),
            pytest.param(reply(1)[:-1], id="all but one byte"),
            pytest.param(reply(1) + b"\0", id="a byte too many"),
            pytest.param(reply(2), id="a reply to another request"),
            pytest.param(reply(1, flags=Flags.MORE_TO_COME), id="a reply that announces another one"),
            pytest.param(reply(1, flags=Flags.CHECKSUM_PRESENT) + b"\0\0\0\0", id="a checksum"),
            pytest.param(reply(1, flags=1 << 5), id="an unknown flag"),
            pytest.param(reply(1, body=OK[:-1] + b"\1"), id="a document without its end"),
            pytest.param(reply(1, body=struct.pack("<i", len(OK) - 1) + OK[4:]), id="a document of another length"),
            pytest.param(reply(1)[:12] + struct.pack("<i", OpCode.REPLY) + reply(1)[16:], id="another format"),
            pytest.param(reply(1)[:20] + b"\1" + reply(1)[21:], id="another kind of section"),
        ],
    )
    def test_leaves_anything_else_untouched(self, asking: WireProtocol, data: bytes):
        """Whatever is not one whole, simple reply changes nothing: `receive_data()` judges it."""
        assert asking.receive_reply(data) is None
        assert asking.state is State.REPLY_DUE
        assert [message.content.body for message in asking.receive_data(reply(1))] == [OK]  # type: ignore[union-attr]

    def test_leaves_the_rest_of_a_reply_untouched(self, asking: WireProtocol):
        """Behind the beginning of a message nothing is a whole one, though it may look like it."""
        inner = reply(1)
        document = bson.encode({"a": inner})
        start = document.index(inner)
        message = reply(1, body=document)
        assert asking.receive_data(message[: 21 + start]) == []
        assert asking.receive_reply(inner) is None
        assert [m.content.body for m in asking.receive_data(message[21 + start :])] == [document]  # type: ignore[union-attr]

    def test_out_of_turn(self, client: WireProtocol):
        """A reply that nobody has asked for is not taken."""
        assert client.receive_reply(reply(0)) is None
        with pytest.raises(ProtocolError, match="out of turn"):
            client.receive_data(reply(0))

    def test_too_large(self):
        """What is larger than a message may be is not taken, whole as it is."""
        client = WireProtocol(Role.CLIENT, max_message_size=100)
        client.send_request(PING)
        assert client.receive_reply(reply(1, body=bson.encode({"a": "x" * 100}))) is None

    @given(st.data())
    def test_agrees_with_the_general_way(self, data: st.DataObject):
        """Of a reply with any bytes changed both ways make the same, or the straight one leaves it alone."""
        message = bytearray(reply(1, body=bson.encode({"a": data.draw(st.binary(max_size=20))})))
        for position, value in data.draw(
            st.lists(st.tuples(st.integers(0, len(message) - 1), st.integers(0, 255)), max_size=3)
        ):
            message[position] = value
        straight, general = WireProtocol(Role.CLIENT), WireProtocol(Role.CLIENT)
        straight.send_request(PING)
        general.send_request(PING)
        body = straight.receive_reply(bytes(message))
        if body is not None:
            assert [m.content.body for m in general.receive_data(bytes(message))] == [body]  # type: ignore[union-attr]
            assert (general.state, general.is_idle) == (straight.state, straight.is_idle)
