"""Certificate revocation lists for tests; made by `CertKit.crl()`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

if TYPE_CHECKING:
    from collections.abc import Iterable

    import trustme


def revocation_list(
    authority: trustme.CA, serials: Iterable[int], *, last_update: datetime | None, next_update: datetime | None
) -> bytes:
    """PEM of a list that an authority has signed.

    Args:
        authority: whose list it is.
        serials: the serial numbers of the certificates on it.
        last_update: since when it is valid; by default for an hour.
        next_update: until when; by default for another day.
    """
    now = datetime.now(UTC)
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    key = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(last_update or now - timedelta(hours=1))
        .next_update(next_update or now + timedelta(days=1))
    )
    for serial in serials:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
        )
    signed = builder.sign(key, hashes.SHA256())  # type: ignore[arg-type]  # trustme's keys are RSA or EC
    return signed.public_bytes(serialization.Encoding.PEM)
