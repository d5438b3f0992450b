"""Commands about collections and databases as wholes (enumeration and collection management specifications)."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, cast

from aiomongo_tls.core.commands.arguments import check_mapping
from aiomongo_tls.core.commands.collation import collation_document

if TYPE_CHECKING:
    from aiomongo_tls.core.options.concerns import WriteConcern


def command_document(command: object, value: Any, comment: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """A command of the caller's, whose own document is never changed (run-command specification).

    Raises:
        TypeError: neither a name nor a document.
        ValueError: an empty document.
    """
    if isinstance(command, str):
        document: dict[str, Any] = {command: value}
    elif isinstance(command, MutableMapping):
        document = dict(cast(Mapping[str, Any], command))
    else:
        raise TypeError(f"command is a name or a document, not {type(command).__name__}")
    if not document:
        raise ValueError("command is empty; its first key is its name")
    document.update(options)
    if comment is not None:
        document["comment"] = comment
    return document


def list_collections_document(options: Mapping[str, Any], *, name_only: bool) -> dict[str, Any]:
    """The listCollections command.

    Args:
        options: its other fields (`filter`, `comment`, ...); None values are left out.
        name_only: whether names will do, unless the filter asks for more.

    Raises:
        TypeError: the filter is not a document.
    """
    given = {name: value for name, value in options.items() if value is not None}
    document: dict[str, Any] = {"listCollections": 1, "cursor": {}}
    selection = check_mapping("filter", given.get("filter", {}))
    # A filter on anything but the name needs the details, which nameOnly would leave out before filtering.
    if name_only and set(selection) <= {"name"}:
        document["nameOnly"] = True
    if "batchSize" in given:
        document["cursor"] = {"batchSize": given.pop("batchSize")}
    return document | given


def create_document(name: str, options: Mapping[str, Any], write_concern: WriteConcern) -> dict[str, Any]:
    """The create command.

    Args:
        name: the new collection's.
        options: its other fields under the server's names: `capped`, `size`, `timeseries`, ...; None is left out.
        write_concern: the database's.

    Raises:
        TypeError: an argument of the wrong type.
    """
    document = with_concern({"create": name}, write_concern)
    document |= {field: value for field, value in options.items() if value is not None}
    if "collation" in document:
        document["collation"] = collation_document(document["collation"])
    return document


def with_concern(document: dict[str, Any], write_concern: WriteConcern, comment: Any = None) -> dict[str, Any]:
    """The document of a command that writes, with its write concern and a comment for the server's logs."""
    if comment is not None:
        document["comment"] = comment
    if not write_concern.is_server_default:
        document["writeConcern"] = write_concern.document
    return document
