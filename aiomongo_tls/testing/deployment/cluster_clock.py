"""The logical clock of a replica set or sharded cluster: `$clusterTime` and `operationTime`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bson import Int64, Timestamp

from aiomongo_tls.testing.data.values import is_document
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiomongo_tls.testing.data.values import Document

_UNSIGNED = {"hash": bytes(20), "keyId": Int64(0)}
# What servers without keys send instead of a signature; clients return it as it is.

_DRIFT = 365 * 24 * 3600
# Seconds that a client may be ahead (mongod: maxAcceptableLogicalClockDriftSecs).

NEVER = datetime(1970, 1, 1)
"""The date of the last write of a member that has no data."""


class ClusterClock:
    """Counts writes, never backwards, and near to the time of day.

    Args:
        now: the present time, UTC without a zone.

    Attributes:
        time: the newest time that is known: `$clusterTime`.
        last_write: the time of the last write: `operationTime`.
        last_write_date: the time of day of the last write.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.last_write_date = now()
        self.time = self.last_write = Timestamp(self._seconds(), 1)

    def tick(self) -> Timestamp:
        """Take note of a write; its time."""
        seconds = self._seconds()
        newer = seconds > self.time.time
        self.time = Timestamp(seconds, 1) if newer else Timestamp(self.time.time, self.time.inc + 1)
        self.last_write = self.time
        # To the second, as mongod, which has it from the oplog.
        self.last_write_date = self._now().replace(microsecond=0)
        return self.time

    def hear(self, gossip: Any) -> None:
        """Take the time that a client heard elsewhere.

        Args:
            gossip: `$clusterTime` of its command.

        Raises:
            CommandError: it is not one, or too far ahead.
        """
        heard = gossip.get("clusterTime") if is_document(gossip) else None
        if not isinstance(heard, Timestamp):
            raise CommandError(
                ErrorCode.TypeMismatch, "$clusterTime has to be an object with the timestamp clusterTime"
            )
        if heard.time - self._seconds() > _DRIFT:
            raise CommandError(
                ErrorCode.ClusterTimeFailsRateLimiter,
                f"New cluster time, {heard.time}, is too far from this node's wall clock time",
            )
        self.time = max(self.time, heard)

    def gossip(self) -> Document:
        """What every reply tells of the time."""
        return {
            "$clusterTime": {"clusterTime": self.time, "signature": _UNSIGNED},
            "operationTime": self.last_write,
        }

    def _seconds(self) -> int:
        return int(self._now().replace(tzinfo=UTC).timestamp())
