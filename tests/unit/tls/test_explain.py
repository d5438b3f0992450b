"""Every way in which a TLS handshake fails, in the words that a user gets; each beside one that succeeds."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.errors import (
    ClientCertificateRejected,
    Phase,
    ServerCertificateError,
    TLSError,
    TLSHandshakeTimeout,
    TLSProtocolError,
)
from aiomongo_tls.testing.certs import CertKit
from aiomongo_tls.tls.context import TLSSetup, build_context
from aiomongo_tls.tls.engine import TLSEngine
from aiomongo_tls.tls.explain import explain
from aiomongo_tls.tls.material import load_material

HOST = ServerAddress("db.example.net", 27017)
Make = Callable[..., Any]


def options(kit: CertKit, **changes: Any) -> TLSOptions:
    """Options with which all goes well."""
    values: dict[str, Any] = {
        "enabled": True,
        "ca_file": kit.ca_pem,
        "certificate_key_file": kit.client("ada").pem,
    } | changes
    return TLSOptions(**values)


def setup_of(client: TLSOptions) -> TLSSetup:
    """A setup whose context belongs to this test alone."""
    material = load_material(client)
    return TLSSetup(
        context=build_context(material, client), fingerprint="for a test", material=material, options=client
    )


@pytest.fixture
def attempt(pair: Make) -> Make:
    """Do a handshake and a request; what the client is told if it fails, None if it works."""

    def run(
        client: TLSOptions,
        server: ssl.SSLContext,
        *,
        name: str = "db.example.net",
        tune: Callable[[ssl.SSLContext], object] | None = None,
    ) -> TLSError | None:
        setup = setup_of(client)
        if tune is not None:
            tune(setup.context)
        wired = pair(setup.context, server, name)
        wired.client.send(b"hello")
        wired.shuttle()
        if wired.client_error is None:
            assert wired.server_received == b"hello"
            return None
        error = explain(wired.client_error, host=HOST, engine=wired.client, setup=setup)
        assert (error.host, error.phase) == (HOST, Phase.TLS)
        assert str(error).startswith(f"db.example.net:27017: {error._message} [{error.reason}]")
        return error

    return run


class TestServerCertificate:
    """Certificates that we do not accept."""

    def test_an_accepted_one(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """The twin of all the failures below."""
        assert attempt(options(kit), server_context(client_ca=kit.ca_pem)) is None

    def test_unknown_authority(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """The issuer is named, since its certificate is what is missing."""
        server = server_context(kit.stranger().server("db.example.net"))
        error = attempt(options(kit), server)
        assert (type(error), error.reason) == (ServerCertificateError, "unknown-ca")
        assert error.expected == "a certificate that leads to one in tlsCAFile (the content given)"
        assert "CN=db.example.net,OU=servers" in error.presented
        assert f"issued by {kit.stranger().server('db.example.net').details.issuer}" in error.presented
        assert "set tlsCAFile" in error.hint
        assert attempt(options(kit, ca_file=kit.stranger().ca_pem), server) is None

    def test_unknown_to_the_system(
        self, attempt: Make, server_context: Make, kit: CertKit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a tlsCAFile it is named as missing; SSL_CERT_FILE is the twin."""
        monkeypatch.setenv("SSL_CERT_FILE", kit.stranger().ca_path)
        monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
        error = attempt(options(kit, ca_file=None), server_context())
        assert error.reason == "unknown-ca"
        assert error.expected == (
            "a certificate that leads to an authority in this system's certificate store (tlsCAFile is not set)"
        )
        monkeypatch.setenv("SSL_CERT_FILE", kit.ca_path)
        assert attempt(options(kit, ca_file=None), server_context()) is None

    def test_self_signed(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """It says that it is; used as its own tlsCAFile it is accepted."""
        certificate = kit.server("db.example.net", self_signed=True)
        error = attempt(options(kit), server_context(certificate))
        assert (type(error), error.reason) == (ServerCertificateError, "unknown-ca")
        assert "self-signed" in str(error)
        assert error.presented.endswith("issued by itself")
        assert "use it as tlsCAFile" in error.hint
        assert attempt(options(kit, ca_file=certificate.certificate_chain_pem), server_context(certificate)) is None

    def test_another_root_in_the_chain(self, attempt: Make, server_context: Make, kit: CertKit, tmp_path: Path) -> None:
        """A server that sends its own root does not get trusted by that."""
        path = tmp_path / "server.pem"
        path.write_bytes(kit.stranger().server("db.example.net").pem + kit.stranger().ca_pem)
        server = server_context()
        server.load_cert_chain(path)
        error = attempt(options(kit), server)
        assert (type(error), error.reason) == (ServerCertificateError, "unknown-ca")
        assert "root authority" in str(error)
        assert attempt(options(kit, ca_file=kit.stranger().ca_pem), server) is None

    def test_missing_intermediate(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """A chain is accepted when the intermediate is sent, or trusted as it stands, and not without it."""
        whole = kit.server("db.example.net", intermediate=True)
        leaf, _, rest = whole.certificate_chain_pem.partition(b"-----END CERTIFICATE-----\n")
        leaf += b"-----END CERTIFICATE-----\n"
        assert rest.startswith(b"-----BEGIN CERTIFICATE-----")
        bare = type(whole)(leaf, whole.private_key_pem, whole.ca_pem)
        error = attempt(options(kit), server_context(bare))
        assert (type(error), error.reason) == (ServerCertificateError, "unknown-ca")
        assert "intermediate" in error.hint
        assert attempt(options(kit), server_context(whole)) is None
        assert attempt(options(kit, ca_file=rest), server_context(bare)) is None

    def test_other_host(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """The name that was used stands beside the names that are there."""
        server = server_context(kit.server("db.example.net", "*.test.example.net", "10.0.0.1", "::1"))
        error = attempt(options(kit), server, name="other.example.net")
        assert (type(error), error.reason) == (ServerCertificateError, "hostname-mismatch")
        assert error.expected == "a certificate for other.example.net"
        assert error.presented == "a certificate for db.example.net, *.test.example.net, 10.0.0.1, ::1"
        assert "DNS:other.example.net" in error.hint
        for name in ("db.example.net", "a.test.example.net", "10.0.0.1", "::1"):
            assert attempt(options(kit), server, name=name) is None
        unchecked = options(kit, allow_invalid_hostnames=True)
        assert attempt(unchecked, server, name="other.example.net") is None

    def test_address_without_a_name_for_it(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """An IP address has to be in the certificate as one."""
        server = server_context(kit.server("localhost"))
        error = attempt(options(kit), server, name="127.0.0.1")
        assert (type(error), error.reason) == (ServerCertificateError, "hostname-mismatch")
        assert "IP:127.0.0.1" in error.hint
        assert attempt(options(kit), server, name="localhost") is None
        assert attempt(options(kit), server_context(kit.server("127.0.0.1")), name="127.0.0.1") is None

    def test_many_names_are_cut_short(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """A certificate for a hundred hosts does not fill the screen."""
        server = server_context(kit.server(*(f"db{i}.example.net" for i in range(100))))
        assert attempt(options(kit), server).presented.endswith("db7.example.net and 92 more")

    def test_expired(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """It says since when."""
        certificate = kit.server("db.example.net", expired=True)
        error = attempt(options(kit), server_context(certificate))
        assert (type(error), error.reason) == (ServerCertificateError, "certificate-expired")
        assert f"to {certificate.details.not_after:%Y-%m-%d %H:%M} UTC" in error.presented
        assert error.expected.startswith("certificates that are valid now, 20")
        assert attempt(options(kit), server_context(kit.server("db.example.net"))) is None
        unverified = options(kit, allow_invalid_certificates=True, allow_invalid_hostnames=True)
        assert attempt(unverified, server_context(certificate)) is None

    def test_not_yet_valid(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """It says from when, and to look at the clock."""
        certificate = kit.server("db.example.net", not_yet_valid=True)
        error = attempt(options(kit), server_context(certificate))
        assert (type(error), error.reason) == (ServerCertificateError, "not-yet-valid")
        assert f"from {certificate.details.not_before:%Y-%m-%d %H:%M} UTC" in error.presented
        assert "clock" in error.hint

    def test_expired_further_up(self, pair: Make, server_context: Make, kit: CertKit) -> None:
        """If the server's own certificate is in time, one above it is not."""
        certificate = kit.server("db.example.net", expired=True)
        setup = setup_of(options(kit))
        wired = pair(setup.context, server_context(certificate)).shuttle()
        before = certificate.details.not_after - timedelta(days=1)
        error: Any = explain(wired.client_error, host=HOST, engine=wired.client, setup=setup, now=before)
        assert "another one of its chain" in error.presented

    def test_meant_for_clients(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """A client's certificate on a server is told from one of a stranger."""
        error = attempt(options(kit), server_context(kit.client("ada")))
        assert (type(error), error.reason) == (ServerCertificateError, "certificate-invalid")
        assert "serverAuth" in error.hint

    def test_revoked(self, attempt: Make, server_context: Make, kit: CertKit, revocation_list: Make) -> None:
        """A certificate on the list is refused, one that is not on it is accepted."""
        server = server_context(kit.server("db.example.net"))
        revoked = options(kit, crl_file=revocation_list(kit, kit.server("db.example.net").certificate_chain_pem))
        error = attempt(revoked, server)
        assert (type(error), error.reason) == (ServerCertificateError, "revoked")
        assert "tlsCRLFile" in error.expected
        other = options(kit, crl_file=revocation_list(kit, kit.server("gone.example.net").certificate_chain_pem))
        assert attempt(other, server) is None

    def test_list_of_another_authority(
        self, attempt: Make, server_context: Make, kit: CertKit, revocation_list: Make
    ) -> None:
        """Nothing is known about the certificate then, and that is not taken for good."""
        stranger = kit.stranger()
        crl = revocation_list(stranger, stranger.server("db.example.net").certificate_chain_pem)
        error = attempt(options(kit, crl_file=crl), server_context())
        assert (type(error), error.reason) == (ServerCertificateError, "crl-missing")
        assert "tlsCRLFile" in error.hint
        unchecked = options(kit, crl_file=crl, disable_certificate_revocation_check=True)
        assert attempt(unchecked, server_context()) is None


class TestClientCertificate:
    """Certificates that the server does not accept."""

    def test_none(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """TLS 1.2 and 1.3 say it by different alerts."""
        server = server_context(client_ca=kit.ca_pem)
        error = attempt(options(kit, certificate_key_file=None), server)
        assert (type(error), error.reason) == (ClientCertificateRejected, "client-certificate-required")
        assert error.presented == "none"
        assert "tlsCertificateKeyFile" in error.hint
        assert attempt(options(kit), server) is None

    def test_of_another_authority(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """What we showed is named, with its issuer."""
        server = server_context(client_ca=kit.ca_pem)
        stranger = kit.stranger().client("eve")
        error = attempt(options(kit, certificate_key_file=stranger.pem), server)
        assert (type(error), error.reason) == (ClientCertificateRejected, "client-certificate-unknown-ca")
        assert error.presented == f"{stranger.subject}, issued by {stranger.details.issuer}"

    def test_expired(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """It says since when, and which file it is."""
        late = kit.client("ada", expired=True)
        error = attempt(options(kit, certificate_key_file=late.path), server_context(client_ca=kit.ca_pem))
        assert (type(error), error.reason) == (ClientCertificateRejected, "client-certificate-expired")
        assert f"to {late.details.not_after:%Y-%m-%d %H:%M} UTC" in error.presented
        assert f"tlsCertificateKeyFile ('{late.path}')" in error.hint

    def test_not_yet_valid(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """The server's alert does not say so; the certificate does."""
        early = kit.client("ada", not_yet_valid=True)
        error = attempt(options(kit, certificate_key_file=early.pem), server_context(client_ca=kit.ca_pem))
        assert (type(error), error.reason) == (ClientCertificateRejected, "client-certificate-expired")

    def test_meant_for_servers(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """The most common reason is in the hint."""
        wrong = kit.server("db.example.net")
        error = attempt(options(kit, certificate_key_file=wrong.pem), server_context(client_ca=kit.ca_pem))
        assert (type(error), error.reason) == (ClientCertificateRejected, "client-certificate-rejected")
        assert "clientAuth" in error.hint

    def test_without_cryptography(
        self, attempt: Make, server_context: Make, kit: CertKit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The base install still says what was shown, by its file."""
        late = kit.client("ada", expired=True)
        client, server = options(kit, certificate_key_file=late.path), server_context(client_ca=kit.ca_pem)
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "cryptography", None)
            error = attempt(client, server)
        assert error.reason == "client-certificate-expired"
        assert error.presented == f"the certificate in tlsCertificateKeyFile ('{late.path}')"


class TestSuppliedContext:
    """A context of the user's, of which little is known."""

    def test_what_to_do_is_said_of_the_context(self, attempt: Make, server_context: Make, kit: CertKit) -> None:
        """The options that are usually named cannot be set beside it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        error = attempt(TLSOptions(enabled=True, ssl_context=context), server_context(client_ca=kit.ca_pem))
        assert (type(error), error.reason) == (ServerCertificateError, "unknown-ca")
        assert error.expected == "a certificate that leads to an authority that the given ssl_context trusts"
        assert error.hint.endswith("(your ssl_context takes the place of these options: load the file there)")
        context.load_verify_locations(cadata=kit.ca_pem.decode())
        error = attempt(TLSOptions(enabled=True, ssl_context=context), server_context(client_ca=kit.ca_pem))
        assert (type(error), error.reason) == (ClientCertificateRejected, "client-certificate-required")
        assert error.presented == "whatever the given ssl_context has loaded"
        context.load_cert_chain(kit.client("ada").path)
        assert attempt(TLSOptions(enabled=True, ssl_context=context), server_context(client_ca=kit.ca_pem)) is None


class TestProtocol:
    """No common language."""

    def test_version(self, kit: CertKit, pair: Make) -> None:
        """A server that only speaks older TLS; one that speaks today's is accepted elsewhere."""
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        old.load_cert_chain(kit.server("db.example.net").path)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        setup = setup_of(options(kit))
        setup.context.minimum_version = ssl.TLSVersion.TLSv1_3
        wired = pair(setup.context, old).shuttle()
        error = explain(wired.client_error, host=HOST, engine=wired.client, setup=setup)
        assert (type(error), error.reason) == (TLSProtocolError, "protocol-version")
        assert error.expected == "TLS 1.3 or newer"

    def test_no_shared_cipher(self, attempt: Make, server_context: Make, kit: CertKit, version: ssl.TLSVersion) -> None:
        """Nothing in common before any certificate was looked at, so it is not taken for a missing certificate."""
        server = server_context(client_ca=kit.ca_pem)
        without = options(kit, certificate_key_file=None, ca_file=kit.ca_pem + kit.stranger().ca_pem)

        def tune(context: ssl.SSLContext) -> None:
            # Ciphers for RSA certificates only; and a curve, for TLS 1.3, which the server will not have.
            context.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")
            context.set_ecdh_curve("secp521r1")

        server.set_ecdh_curve("prime256v1")
        error = attempt(without, server, tune=tune)
        assert (type(error), error.reason) == (TLSProtocolError, "no-shared-cipher")


@pytest.fixture
def started(kit: CertKit) -> tuple[TLSEngine, TLSSetup]:
    """A client that has sent its first message."""
    setup = setup_of(options(kit))
    engine = TLSEngine(setup.context, server_hostname="db.example.net")
    engine.start()
    return engine, setup


@pytest.mark.parametrize(
    ("answer", "presented"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "an HTTP answer: HTTP/1.1 400 Bad Request"),
        (b"HTTP/1.1 400", "an HTTP answer: HTTP/1.1 400"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "a line of text: SSH-2.0-OpenSSH_9.2p1"),
        (b"\x65\0\0\0\1\0\0\0\2\0\0\0\xdd\x07\0\0" + bytes(20), "a MongoDB message without TLS"),
        (b"\x65\0\0\0\1\0\0\0\2\0\0\0\1\0\0\0" + bytes(20), "a MongoDB message without TLS"),
        (b"\x4a\0\0\0\x0a8.0.36\0", "the bytes 4a 00 00 00 0a 38 2e 30 2e 33 36 00"),
    ],
)
def test_a_server_without_tls_is_recognised(started: tuple[TLSEngine, TLSSetup], answer: bytes, presented: str) -> None:
    """By what it said instead."""
    engine, setup = started
    with pytest.raises(ssl.SSLError) as caught:
        engine.receive_data(answer)
    error = explain(caught.value, host=HOST, engine=engine, setup=setup)
    assert isinstance(error, TLSProtocolError)
    assert (error.reason, error.presented) == ("not-tls", presented)


def test_a_few_bytes_that_are_not_tls_and_then_the_end_are_not_tls(started: tuple[TLSEngine, TLSSetup]) -> None:
    """OpenSSL has not looked at them yet, we have."""
    engine, setup = started
    engine.receive_data(b"220 ")
    with pytest.raises(ssl.SSLEOFError) as caught:
        engine.receive_eof()
    assert explain(caught.value, host=HOST, engine=engine, setup=setup).reason == "not-tls"


def test_what_a_stranger_says_cannot_write_into_a_log(started: tuple[TLSEngine, TLSSetup]) -> None:
    """Control characters of a server that is not TLS are shown as question marks."""
    engine, setup = started
    with pytest.raises(ssl.SSLError) as caught:
        engine.receive_data(b"HTTP/1.1 200 \x1b[31mOK\x07\r\n")
    assert (
        explain(caught.value, host=HOST, engine=engine, setup=setup).presented
        == "an HTTP answer: HTTP/1.1 200 ?[31mOK?"
    )


def test_an_end_without_an_answer(started: tuple[TLSEngine, TLSSetup]) -> None:
    """A mongod without TLS closes at once."""
    engine, setup = started
    with pytest.raises(ssl.SSLEOFError) as caught:
        engine.receive_eof()
    error: Any = explain(caught.value, host=HOST, engine=engine, setup=setup)
    assert (type(error), error.reason) == (TLSProtocolError, "tls-closed")
    assert "instead of answering" in str(error)
    assert "MongoDB server without TLS" in error.hint


@pytest.mark.parametrize("exc", [ConnectionResetError(104, "reset"), BrokenPipeError(), EOFError()])
def test_a_reset_is_the_same_as_an_end(started: tuple[TLSEngine, TLSSetup], exc: Exception) -> None:
    """Which of them it is depends on timing."""
    engine, setup = started
    assert explain(exc, host=HOST, engine=engine, setup=setup).reason == "tls-closed"


def test_an_end_in_the_middle(pair: Make, server_context: Make, kit: CertKit) -> None:
    """A proxy that gives up half-way."""
    setup = setup_of(options(kit))
    wired = pair(setup.context, server_context())
    wired.server.receive_data(wired.client.data_to_send())
    wired.client.receive_data(wired.server.data_to_send()[:100])
    with pytest.raises(ssl.SSLEOFError) as caught:
        wired.client.receive_eof()
    error = explain(caught.value, host=HOST, engine=wired.client, setup=setup)
    assert (error.reason, "in the middle" in str(error)) == ("tls-closed", True)


def test_an_end_right_after_the_handshake(pair: Make, server_context: Make, kit: CertKit) -> None:
    """The alert was lost on the way; the likely cause is not."""
    setup = setup_of(options(kit))
    wired = pair(setup.context, server_context()).shuttle()
    error: Any = explain(ConnectionResetError(), host=HOST, engine=wired.client, setup=setup)
    assert error.reason == "tls-closed"
    assert "client certificate" in error.hint


def test_a_timeout(started: tuple[TLSEngine, TLSSetup]) -> None:
    """A server that accepts and then says nothing."""
    engine, setup = started
    error = explain(TimeoutError(), host=HOST, engine=engine, setup=setup)
    assert isinstance(error, TLSHandshakeTimeout)
    assert isinstance(error, TimeoutError)
    assert (error.reason, error.presented) == ("handshake-timeout", "not a single byte")


def ssl_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason.lower()} (_ssl.c:1000)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("reason", "kind", "slug", "words"),
    [
        ("TLSV1_ALERT_INTERNAL_ERROR", TLSProtocolError, "tls-failure", "IP access list"),
        ("TLSV1_UNRECOGNIZED_NAME", TLSProtocolError, "tls-failure", "SNI"),
        ("TLSV1_ALERT_DECODE_ERROR", TLSProtocolError, "tls-failure", "alert decode_error"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", TLSProtocolError, "protocol-version", "TLS 1.2 or newer"),
        ("UNSUPPORTED_PROTOCOL", TLSProtocolError, "protocol-version", "TLS 1.2 or newer"),
        ("WRONG_VERSION_NUMBER", TLSProtocolError, "protocol-version", "TLS 1.2 or newer"),
        ("TLSV1_ALERT_INSUFFICIENT_SECURITY", TLSProtocolError, "no-shared-cipher", "cipher"),
        # What Java says to a client whose newest version is too old for it.
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", TLSProtocolError, "no-shared-cipher", "where TLS versions differ"),
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", ClientCertificateRejected, "client-certificate-rejected", "revoked"),
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", ClientCertificateRejected, "client-certificate-rejected", "unknown"),
        ("TLSV1_ALERT_ACCESS_DENIED", ClientCertificateRejected, "client-certificate-rejected", "access_denied"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", ClientCertificateRejected, "client-certificate-required", "kind of key"),
        ("SOMETHING_NEW", TLSProtocolError, "tls-failure", "something new"),
    ],
)
def test_other_errors_of_openssl(
    started: tuple[TLSEngine, TLSSetup], reason: str, kind: type[TLSError], slug: str, words: str
) -> None:
    """Those that are hard to bring about, by their names."""
    engine, setup = started
    error = explain(ssl_error(reason), host=HOST, engine=engine, setup=setup)
    assert (type(error), error.reason) == (kind, slug)
    assert words in str(error)


def test_any_other_exception_is_a_failure_of_tls_with_its_text(started: tuple[TLSEngine, TLSSetup]) -> None:
    """Nothing goes through untranslated."""
    engine, setup = started
    error = explain(OSError(5, "input/output error"), host=HOST, engine=engine, setup=setup)
    assert (type(error), error.reason) == (TLSProtocolError, "tls-failure")
    assert "input/output error" in str(error)


def test_no_hint_proposes_to_switch_verification_off() -> None:
    """The person on call would do it."""
    from aiomongo_tls.tls import verdicts

    everything: list[verdicts.Verdict] = [
        value for value in vars(verdicts).values() if isinstance(value, verdicts.Verdict)
    ]
    for table in (verdicts.VERIFICATION, verdicts.ALERTS, verdicts.LOCAL):
        everything.extend(table.values())
    assert len(everything) > 50
    for verdict in everything:
        assert "tlsInsecure" not in verdict.hint
        assert "tlsAllowInvalid" not in verdict.hint
