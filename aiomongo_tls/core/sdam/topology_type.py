"""What a deployment is, in the words of the server discovery and monitoring specification."""

from __future__ import annotations

from enum import StrEnum


class TopologyType(StrEnum):
    """The specification's TopologyType; a member's string is the specification's name."""

    UNKNOWN = "Unknown"
    SINGLE = "Single"
    REPLICA_SET_NO_PRIMARY = "ReplicaSetNoPrimary"
    REPLICA_SET_WITH_PRIMARY = "ReplicaSetWithPrimary"
    SHARDED = "Sharded"
    LOAD_BALANCED = "LoadBalanced"
