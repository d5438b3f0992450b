"""`OCSPResponder`: answers whether a certificate of a `CertKit` was revoked (RFC 6960), in every way it can go wrong.

It is an HTTP server on loopback with threads of its own, so that it serves synchronous and asynchronous clients alike.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Literal, Self, cast, get_args

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from types import TracebackType

    import trustme

    from aiomongo_tls.testing.certs import Certificate, CertKit

Behaviour = Literal[
    "answers",
    "delegates",
    "unknown",
    "expired",
    "early",
    "undated",
    "replays",
    "other",
    "uncharged",
    "stranger",
    "later",
    "error",
    "redirects",
    "garbled",
    "huge",
    "slow",
    "silent",
    "closes",
]
"""How an `OCSPResponder` behaves.

- As it should: `answers`, signed by the authority; `delegates`, signed by somebody whom the authority has charged with
  it; `undated`, without a nextUpdate.
- Honest but of no use: `unknown` (never heard of the certificate), `later` (tryLater), `expired` (an answer of
  yesterday), `early` (one of tomorrow), `error` (HTTP 500), `redirects` (HTTP 302).
- Not to be believed: `replays` (the nonce of another request), `other` (about another certificate), `uncharged` (signed
  by somebody whom nobody has charged with it), `stranger` (signed by another authority).
- Broken: `garbled`, `huge` (without end), `slow` (a byte now and then), `silent`, `closes` (hangs up).
"""

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_REDIRECTS_TO = "http://127.0.0.1:1/"


class OCSPResponder:
    """Says of the certificates of a kit whether they were revoked.

        with OCSPResponder(kit) as responder:
            certificate = kit.server("localhost", "127.0.0.1", ocsp=responder.url)
            with MongoTestServer(ca=kit, certificate=certificate) as server:
                ...                             # tlsRevocation=hard connects
                responder.revoke(certificate)   # and now it does not: reason `revoked`

    Clients keep an answer until its `nextUpdate`, so a test that changes its mind needs another certificate, or answers
    without one (`responder.behaviour = "undated"`).

    Args:
        kit: whose certificates it knows.
        behaviour: how it behaves.

    Attributes:
        behaviour: how it behaves; may be changed at any time.
        valid_for: how long an answer counts.
        asked: the serial numbers that were asked about, one for each request.
    """

    def __init__(self, kit: CertKit, behaviour: Behaviour = "answers") -> None:
        if behaviour not in get_args(Behaviour):
            raise ValueError(f"behaviour: expected one of {', '.join(get_args(Behaviour))}")
        self.behaviour: Behaviour = behaviour
        self.valid_for = _HOUR
        self.asked: deque[int] = deque()
        self._kit = kit
        self._revoked: dict[str, x509.ReasonFlags | None] = {}
        self._stopped = Event()
        self._server: _Server | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """Where it is asked, for `CertKit.server(ocsp=...)`.

        Raises:
            RuntimeError: it was not started.
        """
        if self._server is None:
            raise RuntimeError("the responder was not started; use it with `with`")
        return f"http://127.0.0.1:{self._server.server_address[1]}/ocsp"

    def revoke(self, certificate: Certificate, reason: x509.ReasonFlags | None = None) -> None:
        """Call a certificate revoked from now on.

        Args:
            certificate: a certificate of the kit.
            reason: why, for example `x509.ReasonFlags.key_compromise`.
        """
        self._revoked[str(certificate.details.fingerprint)] = reason

    def start(self) -> Self:
        """Begin to listen, on a free port of 127.0.0.1; `with` and `async with` do it too."""
        if self._server is None:
            self._stopped.clear()
            self._server = _Server(self)
            self._thread = Thread(
                target=self._server.serve_forever, args=(0.02,), name="OCSP responder for tests", daemon=True
            )
            self._thread.start()
        return self

    def stop(self) -> None:
        """End it; nobody gets an answer any more."""
        if self._server is not None and self._thread is not None:
            self._stopped.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is stopped.

        Args:
            seconds: for how long at most; None for as long as it takes.

        Returns:
            Whether it was.
        """
        return self._stopped.wait(seconds)

    def answer(self, request: bytes) -> bytes:
        """The answer to a request, both in DER.

        Args:
            request: what was asked.
        """
        asked = ocsp.load_der_ocsp_request(request)
        self.asked.append(asked.serial_number)
        certificate = self._kit.find(asked.serial_number)
        if certificate is None or self.behaviour == "later":
            status = ocsp.OCSPResponseStatus
            refused = status.UNAUTHORIZED if certificate is None else status.TRY_LATER
            return ocsp.OCSPResponseBuilder.build_unsuccessful(refused).public_bytes(serialization.Encoding.DER)
        nonce = next((each.value.nonce for each in asked.extensions if isinstance(each.value, x509.OCSPNonce)), None)
        authority = self._kit.authority_of(certificate)
        builder = self._about(certificate, authority, asked.hash_algorithm)
        if nonce is not None:
            nonce = nonce[::-1] if self.behaviour == "replays" else nonce
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        return self._signed(builder, authority)

    def _about(
        self, certificate: Certificate, authority: trustme.CA, algorithm: hashes.HashAlgorithm
    ) -> ocsp.OCSPResponseBuilder:
        now = datetime.now(UTC)
        since, until = {
            "expired": (now - _DAY, now - _HOUR),
            "early": (now + _HOUR, now + _DAY),
            "undated": (now - timedelta(seconds=1), None),
        }.get(self.behaviour, (now - timedelta(seconds=1), now + self.valid_for))
        name = str(certificate.details.fingerprint)
        status = ocsp.OCSPCertStatus.REVOKED if name in self._revoked else ocsp.OCSPCertStatus.GOOD
        if self.behaviour == "unknown":
            status = ocsp.OCSPCertStatus.UNKNOWN
        if self.behaviour == "other":
            certificate = self._kit.server("other.example.net", intermediate=authority is not self._kit.ca)
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        return ocsp.OCSPResponseBuilder().add_response(
            cert=x509.load_pem_x509_certificate(certificate.certificate_chain_pem),
            issuer=x509.load_pem_x509_certificate(authority.cert_pem.bytes()),
            algorithm=algorithm,
            cert_status=status,
            this_update=since,
            next_update=until,
            revocation_time=now - _HOUR if revoked else None,
            revocation_reason=self._revoked.get(name) if revoked else None,
        )

    def _signed(self, builder: ocsp.OCSPResponseBuilder, authority: trustme.CA) -> bytes:
        if self.behaviour == "stranger":
            authority = self._kit.stranger().ca
        signer, key = _load(authority)
        if self.behaviour in ("delegates", "uncharged"):
            signer, key = _delegate(signer, key, charged=self.behaviour == "delegates")
            builder = builder.certificates([signer])
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _load(authority: trustme.CA) -> tuple[x509.Certificate, Any]:
    certificate = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    return certificate, serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)


def _delegate(issuer: x509.Certificate, issuer_key: Any, *, charged: bool) -> tuple[x509.Certificate, Any]:
    """A certificate for signing answers, or one that is not meant for it, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = ExtendedKeyUsageOID.OCSP_SIGNING if charged else ExtendedKeyUsageOID.SERVER_AUTH
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "OCSP responder")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _HOUR)
        .not_valid_after(now + _HOUR)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.OCSPNoCheck(), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return certificate, key


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, responder: OCSPResponder) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.responder = responder

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that has hung up, which is its right.
        pass


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        # Nothing on the test's stderr.
        pass

    def do_POST(self) -> None:
        """Answer a request."""
        responder = cast(_Server, self.server).responder
        der = responder.answer(self.rfile.read(int(self.headers["Content-Length"])))
        match responder.behaviour:
            case "error":
                self.send_error(500)
            case "redirects":
                self.send_response(302)
                self.send_header("Location", _REDIRECTS_TO)
                self.end_headers()
            case "garbled":
                self._send(der[: len(der) // 2][::-1])
            case "huge":
                self._begin(None)
                while not responder.wait(0):
                    self.wfile.write(bytes(8192))
            case "slow":
                self._begin(len(der))
                while not responder.wait(0.01):
                    self.wfile.write(b"\0")
            case "silent":
                responder.wait()
            case "closes":
                pass
            case _:
                self._send(der)

    def _begin(self, length: int | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/ocsp-response")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send(self, body: bytes) -> None:
        self._begin(len(body))
        self.wfile.write(body)
