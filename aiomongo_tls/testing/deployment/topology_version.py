"""topologyVersion: which of two descriptions of a server is newer. Specification: SDAM, "topologyVersion"."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bson import Int64, ObjectId

from aiomongo_tls.testing.data.values import integer, is_document
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from aiomongo_tls.testing.data.values import Document


@dataclass(frozen=True, slots=True)
class TopologyVersion:
    """A server's count of the changes that hello shows.

    Args:
        process_id: a new one with each start of the server.
        counter: the number of changes since then.
    """

    process_id: ObjectId = field(default_factory=ObjectId)
    counter: int = 0

    @property
    def document(self) -> Document:
        """As it stands in hello."""
        return {"processId": self.process_id, "counter": Int64(self.counter)}

    def next(self) -> TopologyVersion:
        """The one after a change."""
        return replace(self, counter=self.counter + 1)

    @classmethod
    def read(cls, value: Any) -> TopologyVersion:
        """Read what a client sent.

        Raises:
            CommandError: 14, 40414, 40415; it is not one.
        """
        if not is_document(value):
            raise CommandError(ErrorCode.TypeMismatch, "BSON field 'hello.topologyVersion' has to be an object")
        for name in ("processId", "counter"):
            if name not in value:
                raise CommandError(40414, f"BSON field 'TopologyVersion.{name}' is missing but a required field")
        if unknown := value.keys() - {"processId", "counter"}:
            raise CommandError(40415, f"BSON field 'TopologyVersion.{min(unknown)}' is an unknown field.")
        process_id, counter = value["processId"], integer(value["counter"])
        if not isinstance(process_id, ObjectId) or counter is None:
            raise CommandError(ErrorCode.TypeMismatch, "BSON field 'TopologyVersion' has a field of the wrong type")
        return cls(process_id, counter)
