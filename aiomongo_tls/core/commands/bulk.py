"""A bulk of writes: grouped into runs of one command each, their replies merged into one result.

Ordered, a run ends where the kind of operation changes, and nothing follows the first write error. Unordered,
all operations of a kind are one run: inserts, then updates, then deletes. A run may take several commands (see
`batches`), so the same error has an index in its command, in its run and in the caller's list; only the last is
ever shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any

from bson.objectid import ObjectId

from aiomongo_tls.core.commands.arguments import check_list
from aiomongo_tls.core.commands.operations import InsertOne, Operation
from aiomongo_tls.core.commands.statements import Kind, Statement
from aiomongo_tls.errors import BulkWriteError, InvalidOperation, ProtocolError


@dataclass(slots=True)
class Run:
    """Statements of one kind that follow each other."""

    kind: Kind
    indexes: Sequence[int] = ()
    """Where each statement stands in the caller's list."""
    documents: Sequence[Mapping[str, Any]] = ()


def check_operations(requests: object, new_id: Callable[[], ObjectId] = ObjectId) -> list[Statement]:
    """The statements of a bulk's operations.

    Args:
        requests: the operations.
        new_id: makes an id for a document that is inserted without one.

    Raises:
        TypeError: not a list of operations.
        ValueError: an update or replacement that is the other.
        InvalidOperation: an empty list, or an operation with a namespace of its own.
    """
    operations = check_list("requests", requests)
    if not operations:
        raise InvalidOperation("there is nothing to do: the list of operations is empty")
    statements: list[Statement] = []
    for operation in operations:
        # The usual type first: what is an instance of an abstract class takes long to find out.
        is_insert = type(operation) is InsertOne
        if not is_insert and not isinstance(operation, Operation):
            raise TypeError(f"{operation!r} is not an operation such as InsertOne or UpdateMany")
        if operation.namespace is not None:
            raise InvalidOperation("an operation with a namespace is for AsyncClient.bulk_write; leave it out here")
        statements.append(operation.statement(new_id) if is_insert else operation.statement())
    return statements


def runs(statements: Sequence[Statement], *, ordered: bool) -> list[Run]:
    """The statements in the order in which they are sent."""
    kinds = [statement.kind for statement in statements]
    if not ordered:
        indexes = {kind: [index for index, its in enumerate(kinds) if its is kind] for kind in set(kinds)}
        return [_run(kind, statements, indexes[kind]) for kind in Kind if kind in indexes]
    starts = [index for index, kind in enumerate(kinds) if not index or kind is not kinds[index - 1]]
    return [_run(kinds[start], statements, range(start, end)) for start, end in pairwise([*starts, len(kinds)])]


def _run(kind: Kind, statements: Sequence[Statement], indexes: Sequence[int]) -> Run:
    return Run(kind, indexes, [statements[index].document for index in indexes])


_DONE = {
    "inserted": "nInserted",
    "matched": "nMatched",
    "modified": "nModified",
    "upserted": "nUpserted",
    "removed": "nRemoved",
}


class BulkOutcome:
    """The counts and errors of a bulk, growing with each reply; PyMongo's `details` document."""

    __slots__ = ("_labels", "document")

    def __init__(self) -> None:
        self.document: dict[str, Any] = {
            "writeErrors": [],
            "writeConcernErrors": [],
            "nInserted": 0,
            "nUpserted": 0,
            "nMatched": 0,
            "nModified": 0,
            "nRemoved": 0,
            "upserted": [],
        }
        self._labels: set[str] = set()

    @property
    def has_write_errors(self) -> bool:
        """Whether a statement failed, after which an ordered bulk stops."""
        return bool(self.document["writeErrors"])

    @property
    def done(self) -> str:
        """What has been carried out so far, in words; empty if it is nothing."""
        counts = ((word, self.document[field]) for word, field in _DONE.items())
        return ", ".join(f"{count} {word}" for word, count in counts if count)

    def add(self, run: Run, first: int, reply: Mapping[str, Any]) -> None:
        """Merges the reply to one command.

        Args:
            run: the run that the command belongs to.
            first: where in the run the command's first statement stands.
            reply: the server's reply.

        Raises:
            ProtocolError: the reply does not fit the command.
        """
        try:
            self._add(run, first, reply)
        except (AttributeError, LookupError, TypeError) as exc:
            raise ProtocolError(f"the reply to the bulk's {run.kind.command} command does not fit it: {exc!r}") from exc

    def _add(self, run: Run, first: int, reply: Mapping[str, Any]) -> None:
        document = self.document
        count = reply.get("n", 0)
        if run.kind is Kind.INSERT:
            document["nInserted"] += count
        elif run.kind is Kind.DELETE:
            document["nRemoved"] += count
        else:
            upserted: Sequence[Mapping[str, Any]] = reply.get("upserted", ())
            document["upserted"] += [{**each, "index": run.indexes[first + each["index"]]} for each in upserted]
            document["nUpserted"] += len(upserted)
            # The server counts an upsert as a match.
            document["nMatched"] += count - len(upserted)
            document["nModified"] += reply.get("nModified", 0)
        for error in reply.get("writeErrors", ()):
            position = first + error["index"]
            document["writeErrors"].append({**error, "index": run.indexes[position], "op": run.documents[position]})
        labels = reply.get("errorLabels", ())
        if reply.get("writeConcernError"):
            # PyMongo keeps the reply's labels here, too.
            concern = {**reply["writeConcernError"], **({"errorLabels": labels} if labels else {})}
            document["writeConcernErrors"].append(concern)
        self._labels.update(labels)

    def raise_for_errors(self) -> None:
        """Raises what went wrong, if anything did.

        Raises:
            BulkWriteError: statements failed, or their write concern was not satisfied.
        """
        if self.document["writeErrors"] or self.document["writeConcernErrors"]:
            self.document["writeErrors"].sort(key=itemgetter("index"))
            raise BulkWriteError(self.document, error_labels=self._labels)
