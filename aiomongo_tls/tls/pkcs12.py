"""PKCS#12 (`.p12`, `.pfx`): a key, its certificate and others in one encrypted file. Read by `cryptography`.

What the others are for is not written in it. A certificate that names itself as its issuer is a root, which is nothing
to show to a server but somebody to trust; all the others are shown. So a `.p12` with its root needs no tlsCAFile, and
where one is given it alone counts.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls import pem
from aiomongo_tls.tls.certificate import PIP

if TYPE_CHECKING:
    from aiomongo_tls.tls.key_password import KeyPassword
    from aiomongo_tls.tls.sources import Named


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in a PKCS#12 file, as PEM.

    Args:
        key: the private key, not encrypted any more.
        certificates: the certificates to show; the key's own first where the file says which it is.
        roots: the certificates to trust.
    """

    key: pem.PemBlock
    certificates: list[pem.PemBlock]
    roots: list[pem.PemBlock]


def open_pkcs12(content: bytes, named: Named, password: KeyPassword) -> Opened:
    """Open a PKCS#12 file.

    Args:
        content: the file in DER.
        named: where it is from.
        password: asked only if the file does not open without one.

    Raises:
        ConfigurationError: `cryptography` is not installed, the password is missing or wrong, or there is no key in it.
    """
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError as exc:
        raise ConfigurationError(
            f"{named.option}: {named} is PKCS#12, which needs the package cryptography: {PIP}; "
            "or convert it: openssl pkcs12 -in FILE -out FILE.pem",
            reason="extra-missing",
        ) from exc
    found = _decrypted(content, named, password)
    if found.key is None:
        raise ConfigurationError(
            f"{named.option}: there is no private key in {named} (it holds PKCS12); export the key and its certificate",
            reason="key-missing",
        )
    key = found.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    others = [each.certificate for each in found.additional_certs]
    own = [found.cert.certificate] if found.cert is not None else []
    return Opened(
        key=pem.PemBlock("PRIVATE KEY", key),
        certificates=[_block(each) for each in (*own, *(each for each in others if not _is_root(each)))],
        roots=[_block(each) for each in others if _is_root(each)],
    )


def _decrypted(content: bytes, named: Named, password: KeyPassword) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        # No password and an empty one are two things here, and files without one may mean either.
        for nothing in (None, b""):
            with suppress(ValueError):
                return pkcs12.load_pkcs12(content, nothing)
        given = password()
        try:
            return pkcs12.load_pkcs12(content, given)
        except ValueError as exc:
            raise ConfigurationError(
                f"{password.option} is not the password of {named}, or that is damaged; "
                "check it with: openssl pkcs12 -noout -in FILE",
                reason="key-password-wrong",
            ) from exc
    except UnsupportedAlgorithm as exc:
        raise ConfigurationError(
            f"{named.option}: {named} is encrypted in a way that this OpenSSL does not know ({exc}); "
            "convert it: openssl pkcs12 -legacy -in FILE -out FILE.pem"
        ) from exc


def _is_root(certificate: Any) -> bool:
    return bool(certificate.issuer == certificate.subject)


def _block(certificate: Any) -> pem.PemBlock:
    from cryptography.hazmat.primitives.serialization import Encoding

    return pem.from_der("CERTIFICATE", certificate.public_bytes(Encoding.DER))
