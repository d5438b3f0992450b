"""The client's private key and the certificates that belong to it, found and proved to be a pair.

It works without `cryptography`: which certificate belongs to the key is found by letting OpenSSL try.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls import pem
from aiomongo_tls.tls.contents import blocks_in, certificates_among, described, joined
from aiomongo_tls.tls.key_password import KeyPassword
from aiomongo_tls.tls.pkcs12 import open_pkcs12
from aiomongo_tls.tls.secret_file import secret_file

if TYPE_CHECKING:
    from aiomongo_tls.tls.sources import Named, Sources

# What load_cert_chain() says when certificate and key are not a pair; the second where they are of different kinds.
_NO_PAIR = frozenset(
    {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED", "UNKNOWN_CERTIFICATE_TYPE"}
)
_WEAK = ("TOO_SMALL", "TOO_WEAK")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A private key and its certificates, all of it PEM.

    Args:
        key: the private key, perhaps encrypted.
        password: its password; None if it is not encrypted.
        chain: the certificates, the key's own first.
        leaf_der: the key's own certificate in DER.
        roots: certificates of authorities that came along (PKCS#12); None if there were none.
    """

    key: bytes = field(repr=False)
    password: bytes | None = field(repr=False)
    chain: bytes = field(repr=False)
    leaf_der: bytes = field(repr=False)
    roots: bytes | None = field(repr=False)


def load_key_pair(sources: Sources, key_source: Named) -> KeyPair:
    """Read and check the client's key and certificates. Blocks: call it in a thread.

    Args:
        sources: what to read.
        key_source: the key among it.

    Raises:
        ConfigurationError: something cannot be used; names the option, the path and the mend.
        AsyncPassword: the key's password has to be awaited first.
    """
    password = KeyPassword(sources.password, key_source.source, sources.password_option)
    found = blocks_in(key_source)
    roots: list[pem.PemBlock] = []
    packed = next((block for block in found if block.label == pem.PKCS12_LABEL), None)
    if packed is not None:
        opened = open_pkcs12(packed.der, key_source, password)
        key, found, roots = opened.key, opened.certificates, opened.roots
        # It is not encrypted any more.
        password = KeyPassword(None, key_source.source, sources.password_option)
    else:
        key = _key_among(found, key_source, sources)
    if sources.chain is not None:
        certificates = certificates_among(blocks_in(sources.chain), sources.chain)
    else:
        mend = f"append the certificate to it, or give it in {sources.chain_option}"
        certificates = certificates_among(found, key_source, mend=mend)
    chain = _paired(certificates, key, password, sources, key_source)
    return KeyPair(
        key=key.text,
        password=password.value,
        chain=joined(chain),
        leaf_der=chain[0].der,
        roots=joined(roots) or None,
    )


def _key_among(found: list[pem.PemBlock], named: Named, sources: Sources) -> pem.PemBlock:
    for block in found:
        if block.label in pem.KEY_LABELS:
            return block
    mend = f"append the key to it, or give the certificate in {sources.chain_option} and the key here"
    if any(block.label == "OPENSSH PRIVATE KEY" for block in found):
        mend = "that is OpenSSH's own format; convert it: ssh-keygen -p -m PKCS8 -f FILE"
    raise ConfigurationError(
        f"{named.option}: there is no private key in {named} ({described(found)}); {mend}", reason="key-missing"
    )


def _paired(
    certificates: list[pem.PemBlock], key: pem.PemBlock, password: KeyPassword, sources: Sources, key_source: Named
) -> list[pem.PemBlock]:
    """The certificates with the one first that belongs to the key."""
    weak: ssl.SSLError | None = None
    with secret_file(key.text) as key_path:
        for i, leaf in enumerate(certificates):
            chain = [leaf, *certificates[:i], *certificates[i + 1 :]]
            with secret_file(joined(chain)) as chain_path:
                try:
                    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(chain_path, key_path, password)
                except ssl.SSLError as exc:
                    if exc.reason in _NO_PAIR:
                        continue
                    # Where Python has no name for OpenSSL's reason it is None.
                    if str(exc.reason).endswith(_WEAK):
                        weak = exc
                        continue
                    _refuse_key(exc, password, key_source)
                except ConfigurationError:
                    # From the password; it is a ValueError as well.
                    raise
                except ValueError as exc:
                    # Python limits the length of a password.
                    raise ConfigurationError(f"{password.option}: {exc}", reason="key-password-wrong") from exc
                else:
                    return chain
    where = sources.chain or key_source
    if weak is not None:
        raise ConfigurationError(
            f"{key_source.option}: OpenSSL refuses a certificate in {where} as too weak for its security level "
            f"({weak.reason}); have a new one issued, with RSA of 2048 bits or an elliptic curve, and SHA-256",
            reason="certificate-weak",
        ) from weak
    raise ConfigurationError(
        f"{key_source.option}: the private key in {key_source} does not belong to any certificate in {where}"
        + (f" ({where.option})" if where is not key_source else "")
        + "; give the two that were issued together",
        reason="key-mismatch",
    )


def _refuse_key(exc: ssl.SSLError, password: KeyPassword, named: Named) -> NoReturn:
    if password.value is not None:
        raise ConfigurationError(
            f"{password.option} is not the password of the key in {named}; check it with: openssl pkey -noout -in FILE",
            reason="key-password-wrong",
        ) from exc
    raise ConfigurationError(
        f"{named.option}: the private key in {named} is damaged or of a kind that OpenSSL does not know; "
        "check it with: openssl pkey -noout -in FILE",
        reason="key-damaged",
    ) from exc
