"""How many connections a pool has."""

from __future__ import annotations

from dataclasses import fields

from aiomongo_tls.core.pool.status import Counts
from aiomongo_tls.pool.pool import Pool


def counts(pool: Pool) -> Counts:
    """The numbers of a pool's status, to be compared with those that are expected; what is not given there is 0."""
    return Counts(**{field.name: getattr(pool.status, field.name) for field in fields(Counts)})
