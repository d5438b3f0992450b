"""What is in a source: PEM blocks, certificates that OpenSSL can read."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls import pem
from aiomongo_tls.tls.secret_file import secret_file
from aiomongo_tls.tls.source import read_source

if TYPE_CHECKING:
    from aiomongo_tls.tls.sources import Named

_MEND = "it has to hold PEM blocks 'CERTIFICATE', or one certificate in DER"


def blocks_in(named: Named, *, signed: str = "CERTIFICATE") -> list[pem.PemBlock]:
    """Read a source.

    Args:
        named: what to read.
        signed: the label for DER of the shape that certificates and revocation lists share.

    Raises:
        ConfigurationError: it cannot be read, or was cut.
    """
    try:
        return pem.blocks(read_source(named.source, named.option), signed=signed)
    except pem.Unfinished as exc:
        raise ConfigurationError(
            f"{named.option}: {named} is incomplete: {exc}; copy the file again", reason="file-incomplete"
        ) from exc


def certificates_among(found: Sequence[pem.PemBlock], named: Named, *, mend: str = _MEND) -> list[pem.PemBlock]:
    """The certificates among the blocks of a source.

    Args:
        found: the blocks.
        named: where they are from.
        mend: what to do if there is none.

    Raises:
        ConfigurationError: there is none, or OpenSSL cannot read one.
    """
    certificates = [block for block in found if block.label in pem.CERTIFICATE_LABELS]
    if not certificates:
        raise ConfigurationError(
            f"{named.option}: there is no certificate in {named} ({described(found)}); {mend}",
            reason="certificate-missing",
        )
    if not are_readable(*certificates):
        position = next((i for i, block in enumerate(certificates, 1) if not are_readable(block)), 1)
        which = f"certificate {position} of {len(certificates)}" if len(certificates) > 1 else "the certificate"
        raise ConfigurationError(
            f"{named.option}: {which} in {named} is damaged: OpenSSL cannot read it; copy the file again",
            reason="certificate-damaged",
        )
    return certificates


def described(found: Sequence[pem.PemBlock]) -> str:
    """What is in a source instead of what should be."""
    return "it holds " + ", ".join(sorted({block.label for block in found})) if found else "it is neither PEM nor DER"


def are_readable(*found: pem.PemBlock) -> bool:
    """Whether OpenSSL can read certificates or revocation lists, and we their DER."""
    with secret_file(joined(found)) as path:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
            return all(block.der for block in found)
        except (ssl.SSLError, ValueError):
            return False


def joined(found: Sequence[pem.PemBlock]) -> bytes:
    """The blocks as one PEM."""
    return b"".join(block.text for block in found)
