"""Certificates for tests: `CertKit`, one certificate authority and whatever certificates a test needs from it.

trustme makes the authority; certificates are built here with `cryptography` (which trustme brings along) and signed
with trustme's key, because MongoDB's users are whole subjects (`CN=ada,OU=clients,O=Example`), and trustme chooses
most of a subject itself. Keys are elliptic curve keys: making one takes a tenth of a millisecond.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypedDict, Unpack

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from aiomongo_tls.testing.crl import revocation_list
from aiomongo_tls.testing.subjects import SubjectLike, general_name, name_of
from aiomongo_tls.tls.certificate import CertificateDetails

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

ORGANIZATION = "aiomongo_tls tests"
SERVER_UNIT = "servers"
CLIENT_UNIT = "clients"

_FOREVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC))


class CertificateKind(TypedDict, total=False):
    """What may be special about a certificate, as keywords of `CertKit.server()` and `CertKit.client()`."""

    expired: bool
    """Its time ended an hour ago."""
    not_yet_valid: bool
    """Its time begins in an hour."""
    not_before: datetime
    """The first moment of its time."""
    not_after: datetime
    """The last moment of its time."""
    intermediate: bool
    """It comes from an intermediate authority, whose certificate is sent with it."""
    self_signed: bool
    """It is its own authority."""
    password: str
    """Its private key is encrypted with this password."""
    ocsp: str
    """The URL of the responder that knows whether it was revoked (`OCSPResponder.url`)."""
    must_staple: bool
    """Its server has to send the responder's answer along, so it says (RFC 7633). No server in Python can."""


class Certificate:
    """A certificate with its private key, as files and as bytes. Made by `CertKit`.

    Args:
        chain: PEM of the certificate and of the intermediate authorities, leaf first.
        key: PEM of the private key.
        ca_pem: PEM of what a peer has to trust in order to accept it.
        password: the password of the key, if it is encrypted.
    """

    def __init__(self, chain: bytes, key: bytes, ca_pem: bytes, password: str | None = None) -> None:
        self.certificate_chain_pem = chain
        self.private_key_pem = key
        self.ca_pem = ca_pem
        self.password = password

    @property
    def pem(self) -> bytes:
        """Key and chain in one, as `tlsCertificateKeyFile` wants it."""
        return self.private_key_pem + self.certificate_chain_pem

    @cached_property
    def details(self) -> CertificateDetails:
        """What stands in the certificate: subject, names, validity, fingerprint."""
        leaf = x509.load_pem_x509_certificate(self.certificate_chain_pem)
        return CertificateDetails.from_der(leaf.public_bytes(serialization.Encoding.DER))

    @property
    def subject(self) -> str:
        """The subject as MongoDB spells it: the name of the user that this certificate is."""
        return self.details.subject

    @cached_property
    def path(self) -> str:
        """A file with `pem`, in a private directory that is removed at exit; a `str`, because PyMongo wants one."""
        return str(self.write(_Files.new_directory()))

    @property
    def ca_path(self) -> str:
        """A file with `ca_pem`, in a private directory that is removed at exit."""
        return _Files.authority(self.ca_pem)

    def write(self, directory: str | os.PathLike[str], name: str = "certificate.pem") -> Path:
        """Write `pem` to a file that only the owner may read.

        Args:
            directory: an existing directory.
            name: the file's name in it.

        Returns:
            The path of the file.
        """
        return _write(Path(directory) / name, self.pem)

    def __repr__(self) -> str:
        return f"<Certificate {self.subject}>"


class CertKit:
    """A certificate authority for tests, and certificates from it.

        kit = CertKit()
        server = MongoTestServer(ca=kit, certificate=kit.server("localhost", "127.0.0.1"))
        ada = kit.client("ada")
        late = kit.client("ada", expired=True)

    Asked twice for the same certificate it gives the same one.

    Args:
        ca: a trustme authority to use; a new one is made if none is given.
    """

    def __init__(self, ca: trustme.CA | None = None) -> None:
        self.ca = trustme.CA(organization_name=ORGANIZATION) if ca is None else ca
        self._issued: dict[object, Certificate] = {}

    @property
    def ca_pem(self) -> bytes:
        """PEM of the certificate to trust: the authority's, or of the root above it if it is an intermediate."""
        return [self.ca, *_above(self.ca)][-1].cert_pem.bytes()

    @property
    def ca_path(self) -> str:
        """A file with `ca_pem`, for `tlsCAFile`, in a private directory that is removed at exit."""
        return _Files.authority(self.ca_pem)

    def write_ca(self, directory: str | os.PathLike[str], name: str = "ca.pem") -> Path:
        """Write `ca_pem` to a file.

        Args:
            directory: an existing directory.
            name: the file's name in it.

        Returns:
            The path of the file.
        """
        return _write(Path(directory) / name, self.ca_pem)

    def server(self, *names: str, subject: SubjectLike | None = None, **kind: Unpack[CertificateKind]) -> Certificate:
        """A certificate for a server.

        Args:
            names: host names (wildcards too) and IP addresses that it is for; without any, the ways to say "this
                machine": `localhost`, `127.0.0.1`, `::1`.
            subject: its subject; by default the first name as CN.
            **kind: what is special about it, see `CertificateKind`.
        """
        names = names or ("localhost", "127.0.0.1", "::1")
        if subject is None:
            # X.509 allows a CN of 64 characters; host names, which stand in the certificate besides, may be longer.
            subject = {"CN": names[0][:64], "OU": SERVER_UNIT, "O": ORGANIZATION}
        return self._issue(subject, names, ExtendedKeyUsageOID.SERVER_AUTH, kind)

    def client(
        self, cn: str = "client", *, subject: SubjectLike | None = None, **kind: Unpack[CertificateKind]
    ) -> Certificate:
        """A certificate for a client; its subject is the name of a MongoDB user.

        Args:
            cn: the common name; the rest of the subject is the same for all clients of the kit.
            subject: the whole subject instead, as MongoDB writes it (`"CN=ada,OU=clients,O=Example"`) or as a
                mapping (`{"CN": "ada", "OU": "clients", "O": "Example"}`).
            **kind: what is special about it, see `CertificateKind`.
        """
        if subject is None:
            subject = {"CN": cn, "OU": CLIENT_UNIT, "O": ORGANIZATION}
        return self._issue(subject, (), ExtendedKeyUsageOID.CLIENT_AUTH, kind)

    def crl(
        self,
        *,
        revoked: Iterable[Certificate] = (),
        intermediate: bool = False,
        revoke_intermediate: bool = False,
        last_update: datetime | None = None,
        next_update: datetime | None = None,
    ) -> bytes:
        """A certificate revocation list for `tlsCRLFile`, in PEM.

            kit.crl(revoked=[server])                                       # of the kit's authority
            kit.crl(revoked=[server], intermediate=True) + kit.crl()        # of the whole chain

        Args:
            revoked: the certificates on it.
            intermediate: it is the list of the intermediate authority, for certificates made with `intermediate=True`.
            revoke_intermediate: the certificate of the intermediate authority is on it too.
            last_update: since when it is valid; by default for an hour.
            next_update: until when; by default for another day.
        """
        serials = [_serial(certificate.certificate_chain_pem) for certificate in revoked]
        if revoke_intermediate:
            serials.append(_serial(self._intermediate.cert_pem.bytes()))
        authority = self._intermediate if intermediate else self.ca
        return revocation_list(authority, serials, last_update=last_update, next_update=next_update)

    def find(self, serial: int) -> Certificate | None:
        """The certificate of this kit with a serial number, None if it has issued none.

        Args:
            serial: the number.
        """
        issued = (each for each in self._issued.values() if _serial(each.certificate_chain_pem) == serial)
        return next(issued, None)

    def authority_of(self, certificate: Certificate) -> trustme.CA:
        """The authority that has signed a certificate: the kit's, or the intermediate one.

        Args:
            certificate: a certificate of this kit.
        """
        leaf = x509.load_pem_x509_certificate(certificate.certificate_chain_pem)
        own = x509.load_pem_x509_certificate(self.ca.cert_pem.bytes())
        return self.ca if leaf.issuer == own.subject else self._intermediate

    def stranger(self) -> CertKit:
        """Another kit, whose authority nobody here trusts; always the same one."""
        return self._stranger

    @cached_property
    def _stranger(self) -> CertKit:
        return CertKit()

    @cached_property
    def _intermediate(self) -> trustme.CA:
        return self.ca.create_child_ca()

    def _issue(
        self, subject: SubjectLike, names: Sequence[str], usage: x509.ObjectIdentifier, kind: CertificateKind
    ) -> Certificate:
        if unknown := kind.keys() - CertificateKind.__annotations__:
            raise TypeError(
                f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(CertificateKind.__annotations__)}"
            )
        name = name_of(subject)
        key = (name, tuple(names), usage, tuple(sorted(kind.items(), key=str)))
        if key not in self._issued:
            self._issued[key] = self._build(name, names, usage, kind)
        return self._issued[key]

    def _build(
        self, subject: x509.Name, names: Sequence[str], usage: x509.ObjectIdentifier, kind: CertificateKind
    ) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        self_signed = kind.get("self_signed", False)
        builder = _leaf(subject, key.public_key(), names, usage, authority=self_signed)
        if "ocsp" in kind:
            builder = builder.add_extension(_asks(kind["ocsp"]), critical=False)
        if kind.get("must_staple"):
            feature = x509.TLSFeature([x509.TLSFeatureType.status_request])
            builder = builder.add_extension(feature, critical=False)
        first, last = _validity(kind)
        builder = builder.not_valid_before(first).not_valid_after(last)
        if self_signed:
            pem = _sign(builder.issuer_name(subject), key)
            return Certificate(pem, _private(key, kind), pem, kind.get("password"))
        authority = self._intermediate if kind.get("intermediate") else self.ca
        issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
        key_of_issuer = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = builder.issuer_name(issuer.subject).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
        chain = _sign(builder, key_of_issuer)  # type: ignore[arg-type]  # trustme's keys are RSA or EC
        # All but the root, which the peer has.
        for above in [authority, *_above(authority)][:-1]:
            chain += above.cert_pem.bytes()
        return Certificate(chain, _private(key, kind), self.ca_pem, kind.get("password"))


def _serial(pem: bytes) -> int:
    return x509.load_pem_x509_certificate(pem).serial_number


def _asks(url: str) -> x509.AuthorityInformationAccess:
    location = x509.UniformResourceIdentifier(url)
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location)])


def _above(ca: trustme.CA) -> list[trustme.CA]:
    """The authorities above one, the root last."""
    found: list[trustme.CA] = []
    while ca.parent_cert is not None:
        ca = ca.parent_cert
        found.append(ca)
    return found


def _leaf(
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey,
    names: Sequence[str],
    usage: x509.ObjectIdentifier,
    *,
    authority: bool,
) -> x509.CertificateBuilder:
    """What every certificate has, whoever signs it. OpenSSL and mongod look at each of these extensions."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=authority,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(map(general_name, names)), critical=False)
    return builder


def _validity(kind: CertificateKind) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    first, last = _FOREVER
    if kind.get("expired"):
        first, last = now - timedelta(days=30), now - timedelta(hours=1)
    if kind.get("not_yet_valid"):
        first, last = now + timedelta(hours=1), now + timedelta(days=30)
    return kind.get("not_before", first), kind.get("not_after", last)


def _sign(builder: x509.CertificateBuilder, key: CertificateIssuerPrivateKeyTypes) -> bytes:
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey, kind: CertificateKind) -> bytes:
    password = kind.get("password")
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _write(path: Path, content: bytes) -> Path:
    """Write a file that nobody else could read at any moment."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return path


class _Files:
    """One private directory per process for the files behind `path`, removed at exit."""

    _root: str | None = None
    _authorities: ClassVar[dict[bytes, str]] = {}

    @classmethod
    def authority(cls, pem: bytes) -> str:
        """The one file with these certificates."""
        if pem not in cls._authorities:
            cls._authorities[pem] = str(_write(Path(cls.new_directory()) / "ca.pem", pem))
        return cls._authorities[pem]

    @classmethod
    def new_directory(cls) -> str:
        if cls._root is None:
            cls._root = tempfile.mkdtemp(prefix="aiomongo_tls-")
            atexit.register(cls._remove, cls._root, os.getpid())
        return tempfile.mkdtemp(dir=cls._root)

    @staticmethod
    def _remove(root: str, owner: int) -> None:
        # A forked child that ends normally runs its parent's exit handlers; the files are still the parent's.
        if os.getpid() == owner:
            shutil.rmtree(root, ignore_errors=True)
