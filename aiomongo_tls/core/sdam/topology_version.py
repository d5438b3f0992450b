"""How recent a server's word about itself is (SDAM specification, "topologyVersion Comparison")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from bson import ObjectId
from bson.int64 import Int64


@dataclass(frozen=True, slots=True)
class TopologyVersion:
    """A counter that a server process raises whenever something about it changes.

    Counters compare within one process only. What cannot be compared is taken as more recent: the server was
    restarted, or is too old to count.

    Args:
        process_id: stands for one run of the server.
        counter: the number of changes.
    """

    process_id: ObjectId
    counter: int

    @classmethod
    def of(cls, document: object) -> TopologyVersion | None:
        """Read the `topologyVersion` of a reply.

        Args:
            document: the field's value; anything that is no topology version counts as absent.
        """
        if not isinstance(document, Mapping):
            return None
        fields = cast(Mapping[str, Any], document)
        process_id, counter = fields.get("processId"), fields.get("counter")
        if not isinstance(process_id, ObjectId) or not isinstance(counter, int) or isinstance(counter, bool):
            return None
        return cls(process_id, int(counter))

    @property
    def document(self) -> dict[str, Any]:
        """The document to send in a streaming hello; the server insists on a 64 bit counter."""
        return {"processId": self.process_id, "counter": Int64(self.counter)}

    def is_older_than(self, known: TopologyVersion | None) -> bool:
        """Whether a reply with this version tells of a time before what is known.

        Args:
            known: the version of what is known.
        """
        return known is not None and self.process_id == known.process_id and self.counter < known.counter

    def is_newer_than(self, known: TopologyVersion | None) -> bool:
        """Whether an error with this version tells of a time after what is known: each change raises the counter.

        Args:
            known: the version of what is known.
        """
        return known is None or self.process_id != known.process_id or self.counter > known.counter
