"""What a command says about who may answer it: `$readPreference` (server selection specification)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.options.read_preference import Primary, PrimaryPreferred, ReadPreference
from aiomongo_tls.core.server_type import ServerType

if TYPE_CHECKING:
    from collections.abc import Mapping

_OUTPUT_ON_SECONDARIES = 13
"""The wire version of MongoDB 5.0, whose secondaries hand on what `$out` and `$merge` write."""

_MONGOS = (ServerType.MONGOS, ServerType.LOAD_BALANCER)
_PRIMARY_PREFERRED = PrimaryPreferred().document


def read_preference_field(
    preference: ReadPreference | None, server_type: ServerType, *, is_single: bool
) -> Mapping[str, Any] | None:
    """The `$readPreference` of a command, None to leave it out.

    A standalone server never gets one. A member of a replica set that we talk to directly, whatever it is, gets
    `primaryPreferred` where the primary was asked for: otherwise a secondary would refuse to be read.

    Args:
        preference: the read preference; None for a write.
        server_type: who the command is sent to.
        is_single: whether the topology is this one server and no more.
    """
    if preference is None or server_type is ServerType.STANDALONE:
        return None
    if not isinstance(preference, Primary):
        return preference.document
    return _PRIMARY_PREFERRED if is_single and server_type not in _MONGOS else None


def output_preference(preference: ReadPreference, common_wire_version: int | None) -> ReadPreference:
    """The read preference of an aggregation that ends in `$out` or `$merge`.

    Args:
        preference: what it inherits.
        common_wire_version: the newest wire version that all available servers speak; None if none is known, or
            where a load balancer does not say.
    """
    if common_wire_version is not None and common_wire_version < _OUTPUT_ON_SECONDARIES:
        return ReadPreference.PRIMARY
    return preference
