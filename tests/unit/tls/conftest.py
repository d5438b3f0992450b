"""Two TLS engines wired back to back, and certificates for them."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from aiomongo_tls.testing.certs import Certificate, CertKit
from aiomongo_tls.tls.engine import TLSEngine


class Pair:
    """A client and a server, and what each of them has received, or died of."""

    def __init__(self, client: TLSEngine, server: TLSEngine) -> None:
        self.client = client
        self.server = server
        self.client_received = b""
        self.server_received = b""
        self.client_error: ssl.SSLError | None = None
        self.server_error: ssl.SSLError | None = None

    def shuttle(self, chunk: int = 1 << 20) -> Pair:
        """Carry bytes both ways, in pieces of `chunk`, until both sides are quiet."""
        busy = True
        while busy:
            busy = False
            data = self.client.data_to_send()
            for start in range(0, len(data), chunk):
                busy = True
                try:
                    self.server_received += self.server.receive_data(data[start : start + chunk])
                except ssl.SSLError as exc:
                    self.server_error = exc
                    break
            data = self.server.data_to_send()
            for start in range(0, len(data), chunk):
                busy = True
                try:
                    self.client_received += self.client.receive_data(data[start : start + chunk])
                except ssl.SSLError as exc:
                    self.client_error = exc
                    break
        return self


@pytest.fixture(scope="session")
def kit() -> CertKit:
    """One authority for all tests."""
    return CertKit()


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLSv1.2", "TLSv1.3"])
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    """The only TLS version that both sides of a test speak."""
    return ssl.TLSVersion(request.param)


@pytest.fixture
def server_context(kit: CertKit, version: ssl.TLSVersion) -> Callable[..., ssl.SSLContext]:
    """Make a server's context: with this certificate, asking for one of this authority."""

    def make(certificate: Certificate | None = None, *, client_ca: bytes | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain((certificate or kit.server("db.example.net")).path)
        if client_ca is not None:
            context.load_verify_locations(cadata=client_ca.decode())
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    return make


@pytest.fixture
def pair() -> Callable[..., Any]:
    """Wire a client's and a server's context together; the client has begun its handshake."""

    def wire(client: ssl.SSLContext, server: ssl.SSLContext, name: str | None = "db.example.net") -> Pair:
        wired = Pair(TLSEngine(client, server_hostname=name), TLSEngine(server, server_side=True))
        wired.client.start()
        return wired

    return wire


@pytest.fixture(scope="session")
def revocation_list() -> Callable[..., bytes]:
    """Make an authority's revocation list with the first certificate of each chain on it."""

    def make(kit: CertKit, *chains: bytes) -> bytes:
        now = datetime.now(UTC)
        issuer = x509.load_pem_x509_certificate(kit.ca_pem)
        key = serialization.load_pem_private_key(kit.ca.private_key_pem.bytes(), None)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.subject)
            .last_update(now - timedelta(hours=1))
            .next_update(now + timedelta(days=1))
        )
        for chain in chains:
            serial = x509.load_pem_x509_certificate(chain).serial_number
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            )
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]

    return make
