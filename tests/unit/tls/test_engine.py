"""The TLS engine, both roles, without a socket."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from aiomongo_tls.testing.certs import CertKit
from aiomongo_tls.tls.engine import STEP, EngineState, TLSEngine

Make = Callable[..., Any]


@pytest.fixture
def client_context(kit: CertKit) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=kit.ca_pem.decode())
    context.load_cert_chain(kit.client("ada").path)
    return context


@pytest.fixture
def opened(client_context: ssl.SSLContext, server_context: Make, kit: CertKit, pair: Make) -> Any:
    """A pair after its handshake, each with a certificate of the other."""
    wired = pair(client_context, server_context(client_ca=kit.ca_pem)).shuttle()
    assert wired.client.state is wired.server.state is EngineState.OPEN
    return wired


@pytest.mark.parametrize("chunk", [1, 7, 1000, 1 << 20])
def test_both_sides_agree_in_any_chunking(
    client_context: ssl.SSLContext, server_context: Make, pair: Make, chunk: int
) -> None:
    """The handshake and a message each way come through however the bytes are cut."""
    wired = pair(client_context, server_context())
    wired.client.send(b"question")
    wired.shuttle(chunk)
    wired.server.send(b"answer")
    wired.shuttle(chunk)
    assert (wired.server_received, wired.client_received) == (b"question", b"answer")
    assert wired.client.state is wired.server.state is EngineState.OPEN


def test_info_tells_what_was_agreed(opened: Any, version: ssl.TLSVersion, kit: CertKit) -> None:
    """Version, cipher and the peer's certificate, on both sides."""
    info, seen = opened.client.info, opened.server.info
    assert info.version == seen.version == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
    assert info.cipher == seen.cipher != ""
    assert not info.resumed
    assert (info.server_hostname, seen.server_hostname) == ("db.example.net", None)
    assert info.peer_certificate["subjectAltName"] == (("DNS", "db.example.net"),)
    assert seen.peer_der == ssl.PEM_cert_to_DER_cert(kit.client("ada").certificate_chain_pem.decode())
    assert opened.client.info is info


def test_info_of_a_connection_that_an_alert_has_broken(opened: Any) -> None:
    """Whoever has not asked before learns nothing, whoever has keeps it."""
    seen = opened.server.info
    for engine in (opened.client, opened.server):
        with pytest.raises(ssl.SSLError):
            engine.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert opened.client.info is None
    assert opened.server.info is seen is not None


def test_info_is_none_before_the_handshake_is_done(client_context: ssl.SSLContext) -> None:
    """Nothing was agreed yet."""
    engine = TLSEngine(client_context, server_hostname="db.example.net")
    engine.start()
    assert engine.info is None
    assert engine.state is EngineState.HANDSHAKING
    assert not engine.heard_from_peer
    assert not engine.cipher_agreed


def test_an_unverified_peer_gives_no_certificate_but_its_der(
    client_context: ssl.SSLContext, server_context: Make, pair: Make
) -> None:
    """A server that does not ask for a certificate gets none; a client that does not verify has only the DER."""
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    wired = pair(client_context, server_context()).shuttle()
    assert wired.client.info.peer_certificate is None
    assert wired.client.info.peer_der is not None
    assert wired.server.info.peer_certificate is None
    assert wired.server.info.peer_der is None


def test_the_first_request_leaves_with_the_last_flight(
    client_context: ssl.SSLContext, server_context: Make, pair: Make, version: ssl.TLSVersion
) -> None:
    """What was sent before the handshake was done is in the same write as the client's last handshake message."""
    wired = pair(client_context, server_context())
    wired.client.send(b"hel")
    wired.client.send(bytearray(b"lo"))
    last_flight = b""
    while wired.client.state is EngineState.HANDSHAKING:
        wired.server.receive_data(wired.client.data_to_send())
        wired.client.receive_data(wired.server.data_to_send())
    last_flight = wired.client.data_to_send()
    assert wired.server.receive_data(last_flight) == b"hello"
    assert wired.client.data_to_send() == b""


def test_what_was_queued_is_a_copy(client_context: ssl.SSLContext, server_context: Make, pair: Make) -> None:
    """The caller may reuse its buffer."""
    wired = pair(client_context, server_context())
    buffer = bytearray(b"hello")
    wired.client.send(memoryview(buffer))
    buffer[:] = b"other"
    assert wired.shuttle().server_received == b"hello"


def test_close_notify_ends_both_sides(opened: Any) -> None:
    """The peer knows that nothing was cut off; our side does not wait for an answer."""
    opened.client.send(b"last words")
    opened.client.close()
    opened.client.close()
    assert opened.client.state is EngineState.CLOSED
    opened.shuttle()
    assert opened.server_received == b"last words"
    assert opened.server.state is EngineState.CLOSED
    assert opened.server_error is None
    opened.server.close()
    assert opened.server.data_to_send() != b""


def test_after_close_nothing_is_decrypted_or_sent(opened: Any) -> None:
    """A peer that goes on talking is not listened to, and what is sent has nobody to go to."""
    opened.server.send(b"late")
    opened.client.close()
    opened.client.data_to_send()
    assert opened.client.receive_data(opened.server.data_to_send()) == b""
    opened.client.send(b"lost")
    assert opened.client.data_to_send() == b""
    assert opened.client.state is EngineState.CLOSED


def test_close_within_the_handshake_sends_nothing(client_context: ssl.SSLContext) -> None:
    """There is no close_notify yet; the bytes of the first flight were already taken."""
    engine = TLSEngine(client_context, server_hostname="db.example.net")
    engine.start()
    engine.send(b"never")
    assert engine.data_to_send() != b""
    engine.close()
    assert engine.state is EngineState.CLOSED
    assert engine.data_to_send() == b""


def test_the_end_of_the_stream_closes_an_open_connection(opened: Any) -> None:
    """Many servers do not say close_notify."""
    opened.client.receive_eof()
    assert opened.client.state is EngineState.CLOSED
    opened.client.receive_eof()


def test_the_end_of_the_stream_breaks_a_handshake(client_context: ssl.SSLContext) -> None:
    """And it is the same error from then on."""
    engine = TLSEngine(client_context, server_hostname="db.example.net")
    engine.start()
    with pytest.raises(ssl.SSLEOFError) as first:
        engine.receive_eof()
    assert engine.state is EngineState.BROKEN
    for again in (engine.receive_eof, lambda: engine.receive_data(b"x"), lambda: engine.send(b"x")):
        with pytest.raises(ssl.SSLEOFError) as later:
            again()
        assert later.value is first.value


def test_a_refused_certificate_leaves_an_alert_for_the_peer(server_context: Make, pair: Make) -> None:
    """Both sides learn why."""
    wired = pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), server_context()).shuttle()
    assert isinstance(wired.client_error, ssl.SSLCertVerificationError)
    assert wired.client.state is wired.server.state is EngineState.BROKEN
    assert wired.server_error.reason == "TLSV1_ALERT_UNKNOWN_CA"
    assert wired.client.heard_from_peer
    assert not wired.client.handshake_done


def test_a_server_sends_its_alert_too(
    client_context: ssl.SSLContext, server_context: Make, pair: Make, kit: CertKit, version: ssl.TLSVersion
) -> None:
    """With TLS 1.3 it reaches a client that is already open."""
    wired = pair(client_context, server_context(client_ca=kit.stranger().ca_pem)).shuttle()
    assert isinstance(wired.server_error, ssl.SSLCertVerificationError)
    assert wired.client_error.reason == "TLSV1_ALERT_UNKNOWN_CA"
    assert wired.client.handshake_done == (version is ssl.TLSVersion.TLSv1_3)
    assert wired.client.state is EngineState.BROKEN


def test_a_refused_certificate_can_be_looked_at(server_context: Make, pair: Make, kit: CertKit) -> None:
    """Its names are what the error message needs."""
    wired = pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), server_context()).shuttle()
    details, der = wired.client.unverified_peer()
    assert details["subjectAltName"] == (("DNS", "db.example.net"),)
    assert der == ssl.PEM_cert_to_DER_cert(kit.server("db.example.net").certificate_chain_pem.decode())


def test_there_is_nothing_to_look_at_before_the_peer_spoke(client_context: ssl.SSLContext) -> None:
    """No certificate has come yet."""
    engine = TLSEngine(client_context, server_hostname="db.example.net")
    engine.start()
    assert engine.unverified_peer() is None


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n", b"\x24\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0", bytes(100)])
def test_a_peer_without_tls_breaks_the_handshake_and_is_remembered(
    client_context: ssl.SSLContext, answer: bytes
) -> None:
    """Its first bytes stay, for the explanation, and no more than those."""
    engine = TLSEngine(client_context, server_hostname="db.example.net")
    engine.start()
    with pytest.raises(ssl.SSLError):
        engine.receive_data(answer)
    assert engine.first_bytes == answer[:64]
    assert engine.state is EngineState.BROKEN


def test_plaintext_before_an_error_is_delivered_and_the_error_after_it(opened: Any) -> None:
    """A reply that arrives together with rubbish is not lost."""
    opened.server.send(b"reply")
    ciphertext = opened.server.data_to_send()
    assert opened.client.receive_data(ciphertext + b"\x17\x03\x03\x00\x20" + bytes(32)) == b"reply"
    assert opened.client.state is EngineState.BROKEN
    assert opened.client.data_to_send() != b""
    with pytest.raises(ssl.SSLError, match=r"BAD_RECORD|DECRYPTION_FAILED"):
        opened.client.receive_eof()


def test_a_forged_record_breaks_the_connection(opened: Any) -> None:
    """One flipped bit is noticed."""
    opened.server.send(b"reply")
    ciphertext = bytearray(opened.server.data_to_send())
    ciphertext[-1] ^= 1
    with pytest.raises(ssl.SSLError):
        opened.client.receive_data(ciphertext)
    assert opened.client.state is EngineState.BROKEN


def test_a_write_that_openssl_refuses_breaks_the_connection(opened: Any) -> None:
    """A part of a message is never followed by another one."""

    def refuse(_: bytes) -> int:
        raise ssl.SSLWantReadError

    opened.client._write = refuse
    with pytest.raises(ssl.SSLWantReadError):
        opened.client.send(b"question")
    assert opened.client.state is EngineState.BROKEN
    with pytest.raises(ssl.SSLWantReadError):
        opened.client.receive_data(b"")


def test_messages_of_any_size_come_through_whole(opened: Any) -> None:
    """Around the sizes at which records begin and end."""
    for size in (0, 1, STEP - 1, STEP, STEP + 1, 3 * STEP, 3 * STEP + 1, 300_000):
        message = random.Random(size).randbytes(size)
        opened.client_received = b""
        opened.server.send(message)
        opened.shuttle(chunk=random.Random(size).choice([5000, 65536, 262144]))
        assert opened.client_received == message


class WatchedBIO:
    """Stands before a MemoryBIO and remembers the most it ever held, which is the memory it never gives back."""

    def __init__(self, bio: ssl.MemoryBIO) -> None:
        self.bio = bio
        self.highest = 0

    @property
    def pending(self) -> int:
        return self.bio.pending

    def write(self, data: Any) -> None:
        self.bio.write(data)
        self.highest = max(self.highest, self.pending)

    def read(self) -> bytes:
        self.highest = max(self.highest, self.pending)
        return self.bio.read()


@pytest.fixture
def watched(opened: Any) -> Any:
    """A pair after its handshake, with its buffers watched."""
    for engine in (opened.client, opened.server):
        engine._incoming = WatchedBIO(engine._incoming)
        engine._outgoing = WatchedBIO(engine._outgoing)
    return opened


@pytest.mark.parametrize("piece", [100, STEP, 10_000_000])
def test_ten_megabytes_leave_small_buffers(watched: Any, piece: int) -> None:
    """A MemoryBIO never shrinks, so a large message, or many small ones, must not pass it at once."""
    size = 10_000_000
    for start in range(0, size, piece):
        watched.server.send(bytes(min(piece, size - start)))
    received = 0
    ciphertext = memoryview(watched.server.data_to_send())
    assert len(ciphertext) > size
    for start in range(0, len(ciphertext), 1 << 18):
        received += len(watched.client.receive_data(ciphertext[start : start + (1 << 18)]))
    assert received == size
    assert 0 < watched.server._outgoing.highest <= 2 * STEP + 1024
    assert 0 < watched.client._incoming.highest <= STEP


def test_one_large_write_would_leave_a_large_buffer(watched: Any) -> None:
    """The twin of the test above: OpenSSL itself does not bound what it writes."""
    for _ in range(100):
        watched.server._write(bytes(STEP))
    watched.server.data_to_send()
    assert watched.server._outgoing.highest > 100 * STEP


def test_the_largest_records_leave_small_buffers(watched: Any) -> None:
    """A peer's records may be larger than a step; they pass in pieces too."""
    message = random.Random(0).randbytes(16384)
    for _ in range(20):
        watched.server._write(message)
    assert watched.client.receive_data(watched.server.data_to_send()) == 20 * message
    assert 0 < watched.client._incoming.highest <= STEP


def test_many_messages_in_one_chunk_are_all_decrypted(opened: Any) -> None:
    """Fifty records in one read, and the half of one that is completed by the next chunk."""
    for number in range(50):
        opened.server.send(b"%02d" % number)
    ciphertext = opened.server.data_to_send()
    received = opened.client.receive_data(ciphertext[:-5])
    received += opened.client.receive_data(ciphertext[-5:])
    assert received == b"".join(b"%02d" % number for number in range(50))


def test_close_notify_behind_a_message_is_seen_at_once(opened: Any) -> None:
    """The message is delivered, and the state says that it was the last."""
    opened.server.send(b"bye")
    opened.server.close()
    assert opened.client.receive_data(opened.server.data_to_send()) == b"bye"
    assert opened.client.state is EngineState.CLOSED


def test_both_sides_may_close_at_once(opened: Any) -> None:
    """close_notify that crosses ours is no error."""
    opened.client.close()
    opened.server.close()
    opened.shuttle()
    assert (opened.client_error, opened.server_error) == (None, None)
    assert opened.client.state is opened.server.state is EngineState.CLOSED


def test_the_session_is_never_read(
    monkeypatch: pytest.MonkeyPatch, client_context: ssl.SSLContext, server_context: Make, pair: Make
) -> None:
    """Reading it leaks 7 KB on several Pythons."""

    def read(_: ssl.SSLObject) -> None:
        raise AssertionError

    monkeypatch.setattr(ssl.SSLObject, "session", property(read))
    wired = pair(client_context, server_context())
    wired.client.send(b"question")
    wired.shuttle()
    assert wired.client.info is not None
    wired.client.close()
    with pytest.raises(AssertionError):
        wired.client._ssl.session  # noqa: B018


def test_a_session_can_be_resumed(client_context: ssl.SSLContext, server_context: Make, pair: Make) -> None:
    """Only with the session of an earlier connection, and the second handshake says so."""
    server = server_context()
    first = pair(client_context, server)
    first.shuttle()
    assert not first.client.info.resumed
    session = first.client._ssl.session
    second = TLSEngine(client_context, server_hostname="db.example.net", session=session)
    wired = pair(client_context, server)
    wired.client = second
    second.start()
    wired.shuttle()
    assert second.info is not None
    assert second.info.resumed
    # What the server told of itself the first time is still known.
    assert second.info.peer_der == first.client.info.peer_der
    # Not so the authorities above it.
    assert len(first.client.verified_chain()) == 2
    assert second.verified_chain() == []


def test_the_chain_that_was_verified_leads_to_the_trusted_one(
    kit: CertKit, client_context: ssl.SSLContext, server_context: Make, pair: Make
) -> None:
    """From the server's own certificate up; there is none where nothing was verified, or not yet."""
    server = server_context(kit.server("db.example.net", intermediate=True))
    wired = pair(client_context, server)
    assert wired.client.verified_chain() == []
    wired.shuttle()
    chain = wired.client.verified_chain()
    assert len(chain) == 3
    assert chain[0] == wired.client.info.peer_der
    assert chain[2] == ssl.PEM_cert_to_DER_cert(kit.ca_pem.decode())
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    blind = pair(client_context, server).shuttle()
    assert blind.client.verified_chain() == []


def test_a_context_that_checks_names_needs_one(client_context: ssl.SSLContext) -> None:
    """The mistake is found before anything is sent."""
    with pytest.raises(ValueError, match="server_hostname"):
        TLSEngine(client_context)
