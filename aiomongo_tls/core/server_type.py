"""What a server is, in the words of the server discovery and monitoring specification."""

from __future__ import annotations

from enum import StrEnum


class ServerType(StrEnum):
    """The specification's ServerType; a member's string is the specification's name."""

    UNKNOWN = "Unknown"
    STANDALONE = "Standalone"
    MONGOS = "Mongos"
    POSSIBLE_PRIMARY = "PossiblePrimary"
    RS_PRIMARY = "RSPrimary"
    RS_SECONDARY = "RSSecondary"
    RS_ARBITER = "RSArbiter"
    RS_OTHER = "RSOther"
    RS_GHOST = "RSGhost"
    LOAD_BALANCER = "LoadBalancer"
