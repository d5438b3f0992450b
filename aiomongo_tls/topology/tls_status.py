"""Puts together what a client tells of its TLS; nothing is parsed here that was parsed before."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from aiomongo_tls.core.auth.x509 import MECHANISM
from aiomongo_tls.tls.status import TLSStatus

if TYPE_CHECKING:
    from aiomongo_tls.core.options.credential import MongoCredential
    from aiomongo_tls.net.identity import Identity
    from aiomongo_tls.topology.principal import Principal
    from aiomongo_tls.topology.rotation import Rotation


def tls_status(principal: Principal | None, rotation: Rotation | None, credential: MongoCredential | None) -> TLSStatus:
    """What a client tells of its TLS. Plain, no I/O.

    Args:
        principal: whom it acts as; None before its first use.
        rotation: what brings renewed certificates into use; None where there are none.
        credential: who the client is.
    """
    identity = principal.identities.identity if principal is not None else None
    details = identity.certificate if identity is not None else None
    accesses = principal.accesses.items() if principal is not None else ()
    known = {address: status for address, access in accesses if (status := access.tls_status) is not None}
    return TLSStatus(
        subject=details.subject if details is not None else None,
        issuer=details.issuer if details is not None else None,
        sans=details.sans if details is not None else None,
        not_before=details.not_before if details is not None else None,
        not_after=details.not_after if details is not None else None,
        fingerprint=_fingerprint(identity),
        user=_user(credential, identity),
        last_reload=rotation.last_reload if rotation is not None else None,
        last_reload_error=rotation.last_error if rotation is not None else None,
        on_disk_differs=rotation is not None and rotation.differs,
        servers=known,
    )


def _fingerprint(identity: Identity | None) -> str | None:
    if identity is None or identity.setup is None:
        return None
    if identity.certificate is not None:
        return identity.certificate.fingerprint
    leaf = identity.setup.material.leaf_der
    return hashlib.sha256(leaf).hexdigest() if leaf is not None else None


def _user(credential: MongoCredential | None, identity: Identity | None) -> str | None:
    if credential is None:
        return None
    if credential.username is None and credential.mechanism == MECHANISM and identity is not None:
        return identity.subject
    return credential.username
