"""Indexes: IndexModel, and the commands that create, list and drop them (index management specification)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiomongo_tls.core.commands.arguments import check_list
from aiomongo_tls.core.commands.collation import collation_document
from aiomongo_tls.core.commands.command import Requirement
from aiomongo_tls.core.commands.keys import Keys, index_name, key_document
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from aiomongo_tls.core.options.concerns import WriteConcern

COMMIT_QUORUM = Requirement(9, "commitQuorum needs MongoDB 4.4 or newer; leave it out")


class IndexModel:
    """One index for `create_indexes`.

    Args:
        keys: `"a"`, `[("a", ASCENDING), ("b", DESCENDING)]` or a mapping.
        kwargs: the index's options under the server's names: `name`, `unique`, `sparse`, `expireAfterSeconds`,
            `partialFilterExpression`, `collation`, `wildcardProjection`, `hidden`, ...; `name` is made from the keys if
            it is not given.

    Raises:
        TypeError: keys of the wrong shape.
        ValueError: no key at all.
    """

    __slots__ = ("_document",)

    def __init__(self, keys: Keys, **kwargs: Any) -> None:
        key = key_document(keys)
        document: dict[str, Any] = {"name": index_name(key), "key": key}
        # bucketSize belongs to a kind of index that is gone; PyMongo spells it so.
        document |= {name if name != "bucket_size" else "bucketSize": value for name, value in kwargs.items()}
        if document["name"] is None:
            document["name"] = index_name(key)
        if document.get("collation") is not None:
            document["collation"] = collation_document(document["collation"])
        self._document = document

    @property
    def document(self) -> dict[str, Any]:
        """The index as the createIndexes command has it."""
        return self._document

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self._document.items() if name != "key")
        return f"IndexModel({self._document['key']!r}{options})"


def create_indexes_document(
    collection: str, indexes: object, options: Mapping[str, Any], write_concern: WriteConcern
) -> tuple[dict[str, Any], list[str]]:
    """The createIndexes command, and the names that the indexes will have.

    Raises:
        TypeError: not a list of IndexModel.
        ValueError: an empty list.
    """
    models: list[IndexModel] = []
    for model in check_list("indexes", indexes):
        if not isinstance(model, IndexModel):
            raise TypeError(f"indexes is a list of IndexModel, {model!r} is none")
        models.append(model)
    if not models:
        raise ValueError("indexes is empty; at least one IndexModel is needed")
    document: dict[str, Any] = {"createIndexes": collection, "indexes": [model.document for model in models]}
    return _with_options(document, options, write_concern), [model.document["name"] for model in models]


def drop_index_document(
    collection: str, index_or_name: object, options: Mapping[str, Any], write_concern: WriteConcern
) -> dict[str, Any]:
    """The dropIndexes command for one index.

    Raises:
        TypeError: neither a name nor keys.
        ConfigurationError: `*`, which would be all of them.
    """
    name = index_or_name if isinstance(index_or_name, str) else index_name(key_document(index_or_name))
    if name == "*":
        raise ConfigurationError("drop_index('*') would drop every index; drop_indexes() does that")
    return _with_options({"dropIndexes": collection, "index": name}, options, write_concern)


def drop_indexes_document(collection: str, options: Mapping[str, Any], write_concern: WriteConcern) -> dict[str, Any]:
    """The dropIndexes command for all indexes but the one on `_id`."""
    return _with_options({"dropIndexes": collection, "index": "*"}, options, write_concern)


def index_information(indexes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What listIndexes told, by the names of the indexes; `key` as a list of pairs, as PyMongo has it."""
    information: dict[str, Any] = {}
    for index in indexes:
        details = {name: value for name, value in index.items() if name not in ("name", "key")}
        information[index["name"]] = {"key": list(index["key"].items()), **details}
    return information


def _with_options(document: dict[str, Any], options: Mapping[str, Any], write_concern: WriteConcern) -> dict[str, Any]:
    document |= {name: value for name, value in options.items() if value is not None}
    if not write_concern.is_server_default:
        document.setdefault("writeConcern", write_concern.document)
    return document
