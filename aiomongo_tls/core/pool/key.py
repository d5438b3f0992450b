"""What tells one pool from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.credential import MongoCredential


@dataclass(frozen=True, slots=True)
class PoolKey:
    """The connections of one pool are interchangeable; those of two pools never are.

    A connection must not serve another credential or another certificate than the one it was authenticated with, so
    both are part of the key: a renewed certificate is a new pool.

    Args:
        address: the server.
        tls_fingerprint: stands for everything about TLS that makes two connections differ; None without TLS.
        credential: who the connections are authenticated as; None for nobody. Its repr shows no secret.
    """

    address: ServerAddress
    tls_fingerprint: str | None = None
    credential: MongoCredential | None = None
