"""Which of two primaries was elected later (SDAM, "Using electionId and setVersion to detect stale primaries").

For a while after an election the old primary may go on calling itself primary. Elections have ids that grow; a
configuration of the set has a version. From MongoDB 6.0 on the election counts first, before that the version, and
there an incomplete pair is compared with nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bson import ObjectId

_MONGODB_6_0 = 17


@dataclass(frozen=True, slots=True)
class Election:
    """What a primary tells of its election.

    Args:
        election_id: the id of the election, None if it does not tell.
        set_version: the version of the set's configuration, None if it does not tell.
    """

    election_id: ObjectId | None
    set_version: int | None

    def __str__(self) -> str:
        return f"({self.election_id}, {self.set_version})"

    @property
    def is_complete(self) -> bool:
        """Whether both are told."""
        return self.election_id is not None and self.set_version is not None

    @property
    def order(self) -> tuple[bytes, int]:
        """What to compare by; what is not told is less than anything that is."""
        return (
            b"" if self.election_id is None else self.election_id.binary,
            -1 if self.set_version is None else self.set_version,
        )


def newest(told: Election, known: Election, max_wire_version: int) -> Election | None:
    """Find the newest election after a primary told of one.

    Args:
        told: what the primary tells.
        known: the newest so far.
        max_wire_version: the primary's newest wire version.

    Returns:
        The newest now; None if the primary is a stale one.
    """
    if max_wire_version >= _MONGODB_6_0:
        return told if told.order >= known.order else None
    version = max((each for each in (told.set_version, known.set_version) if each is not None), default=None)
    if not told.is_complete:
        return Election(known.election_id, version)
    if known.is_complete and told.order[::-1] < known.order[::-1]:
        return None
    return Election(told.election_id, version)
