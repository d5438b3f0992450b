"""PyMongo's methods that are not here yet: one table, and the refusal that it makes of each.

At run time a missing method raises `NotImplementedError` when it is called. Type checkers
do not see the table: to them `collection.watch()` calls a collection named `watch`, which cannot be called, and that
is the error they report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

C = TypeVar("C", bound=type[Any])

WHERE = 'see "What is here" in the README'

NOT_HERE: Mapping[str, Mapping[str, str]] = {
    "AsyncClient": {
        "append_metadata": "metadata of a library that is added later; give driver=DriverInfo(...) to the client",
        "bulk_write": "a bulk over several collections",
        "start_session": "sessions and transactions",
        "watch": "change streams",
    },
    "AsyncDatabase": {
        "cursor_command": "cursors of commands of your own",
        "dereference": "dereferencing; find_one({'_id': ref.id}) does the same",
        "validate_collection": "validation; database.command('validate', name) does it",
        "watch": "change streams",
    },
    "AsyncCollection": {
        "aggregate_raw_batches": "raw batches",
        "create_search_index": "search indexes",
        "create_search_indexes": "search indexes",
        "drop_search_index": "search indexes",
        "find_raw_batches": "raw batches",
        "list_search_indexes": "search indexes",
        "update_search_index": "search indexes",
        "watch": "change streams",
    },
    "AsyncCursor": {
        "add_option": "cursor options as a bit mask; find() has a parameter for each",
        "remove_option": "cursor options as a bit mask; find() has a parameter for each",
    },
    "AsyncCommandCursor": {},
}
"""Class -> method -> what it belongs to."""


def refuses_what_is_not_here(cls: C) -> C:
    """Gives a class the methods of the table, each of which refuses."""
    for name, feature in NOT_HERE[cls.__name__].items():
        setattr(cls, name, _refusing(cls.__name__, name, feature))
    return cls


def refuse_session(session: object) -> None:
    """Refuses a session: there are none that a caller could have.

    Raises:
        NotImplementedError: it is not None.
    """
    if session is not None:
        raise NotImplementedError(f"session={session!r}: sessions and transactions are not here yet; {WHERE}")


def _refusing(cls: str, name: str, feature: str) -> Callable[..., NoReturn]:
    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        raise NotImplementedError(f"{cls}.{name} is not here yet ({feature}); {WHERE}")

    refuse.__name__ = name
    refuse.__qualname__ = f"{cls}.{name}"
    refuse.__doc__ = f"Not here yet: {feature}."
    return refuse
