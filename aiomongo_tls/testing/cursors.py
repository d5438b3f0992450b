"""Open cursors: what is left of a result, handed out in batches bounded by number and by bytes."""

from __future__ import annotations

import random
from itertools import chain
from typing import TYPE_CHECKING, Any

from bson import Int64
from bson.raw_bson import RawBSONDocument

from aiomongo_tls.testing.data.collection import MAX_DOCUMENT_SIZE
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from aiomongo_tls.testing.sessions import SessionId

FIRST_BATCH = 101
"""Documents in the first batch if the client does not say."""


class _Cursor:
    def __init__(self, namespace: str, documents: Iterable[bytes], session: SessionId | None) -> None:
        self.namespace = namespace
        self.session = session
        self.exhausted = False
        self._documents: Iterator[bytes] = iter(documents)

    def batch(self, size: int | None) -> list[RawBSONDocument]:
        """The next documents. As on a real server, the end is noticed only by asking for one more than there is."""
        found: list[RawBSONDocument] = []
        total = 0
        while size is None or len(found) < size:
            document = next(self._documents, None)
            if document is None:
                self.exhausted = True
                break
            if found and total + len(document) > MAX_DOCUMENT_SIZE:
                self._documents = chain((document,), self._documents)
                break
            total += len(document)
            found.append(RawBSONDocument(document))
        return found


class Cursors:
    """The open cursors of a server."""

    def __init__(self) -> None:
        self._cursors: dict[int, _Cursor] = {}

    def __len__(self) -> int:
        return len(self._cursors)

    def open(
        self,
        namespace: str,
        documents: Iterable[bytes],
        *,
        batch_size: int | None = None,
        single_batch: bool = False,
        session: SessionId | None = None,
    ) -> dict[str, Any]:
        """Begin handing out a result.

        Args:
            namespace: what the client has to name in `getMore`.
            documents: the result, as BSON.
            batch_size: documents in the first batch; 0 for none yet, None for the server's choice.
            single_batch: whether there is to be no cursor after the first batch.
            session: the session that it belongs to.

        Returns:
            The reply's `cursor`.
        """
        cursor = _Cursor(namespace, documents, session)
        batch = cursor.batch(FIRST_BATCH if batch_size is None else batch_size)
        number = 0
        if not single_batch and not cursor.exhausted:
            number = random.randrange(1, 2**63)  # noqa: S311 - a number, not a secret
            self._cursors[number] = cursor
        return {"firstBatch": batch, "id": Int64(number), "ns": namespace}

    def more(
        self,
        number: int,
        namespace: str,
        batch_size: int | None,
        session: SessionId | None = None,
        check_out: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """The next batch of a cursor.

        Args:
            number: the cursor's id.
            namespace: what the client believes it to belong to.
            batch_size: documents at most; None for as many as fit.
            session: the session that it is asked for in.
            check_out: called when the cursor has been found; may raise.

        Raises:
            CommandError: 43 if there is no such cursor, 13 if it belongs to another namespace, 50736 to 50738 if it
                belongs to another session.
        """
        cursor = self._cursors.get(number)
        if cursor is None:
            raise CommandError(ErrorCode.CursorNotFound, f"cursor id {number} not found")
        if cursor.namespace != namespace:
            raise CommandError(
                ErrorCode.Unauthorized,
                f"Requested getMore on namespace '{namespace}', but cursor belongs to a different namespace "
                f"{cursor.namespace}",
            )
        _check_session(number, cursor.session, session)
        # Whatever ends the batch with an error ends the cursor too.
        del self._cursors[number]
        check_out()
        batch = cursor.batch(batch_size or None)
        if not cursor.exhausted:
            self._cursors[number] = cursor
        return {"nextBatch": batch, "id": Int64(0 if cursor.exhausted else number), "ns": namespace}

    def kill_sessions(self, wanted: Callable[[SessionId], bool]) -> None:
        """Close the cursors of sessions.

        Args:
            wanted: tells which sessions.
        """
        self._cursors = {
            number: cursor
            for number, cursor in self._cursors.items()
            if cursor.session is None or not wanted(cursor.session)
        }

    def kill(self, numbers: Iterable[int]) -> tuple[list[Int64], list[Int64]]:
        """Close cursors.

        Returns:
            The ids that were closed, and those that were not there.
        """
        killed: list[Int64] = []
        missing: list[Int64] = []
        for number in numbers:
            (missing if self._cursors.pop(number, None) is None else killed).append(Int64(number))
        return killed, missing


def _check_session(number: int, owner: SessionId | None, asking: SessionId | None) -> None:
    if owner == asking:
        return
    made = "was not created in a session" if owner is None else f"was created in session {owner}"
    asked = "without an lsid" if asking is None else f"in session {asking}"
    code = 50736 if owner is None else 50737 if asking is None else 50738
    raise CommandError(code, f"Cannot run getMore on cursor {number}, which {made}, {asked}")
