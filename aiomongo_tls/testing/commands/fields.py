"""Reading a command's fields as strictly as the server does: types are checked, unknown fields are errors."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aiomongo_tls.testing.data.values import Document, integer, is_array, is_document, is_number, truthy, type_name
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

if TYPE_CHECKING:
    from collections.abc import Mapping

_GENERIC = frozenset(
    {
        *("$db", "lsid", "$clusterTime", "$readPreference", "readConcern", "writeConcern", "maxTimeMS", "comment"),
        *("apiVersion", "apiStrict", "apiDeprecationErrors", "txnNumber", "autocommit", "startTransaction", "$audit"),
        *("$client", "$configServerState", "serialization_context", "databaseVersion", "shardVersion", "rawData"),
    }
)
# Fields that any command may have.


@cache
def _allowed(known: tuple[str, ...], *, generic: bool) -> frozenset[str]:
    return frozenset((*known, *(_GENERIC if generic else ())))


class Fields:
    """The fields of a command, or of an entry in one.

    Args:
        where: how messages call the document, a command's name for example.
        document: the document.
        known: the fields that it may have.
        generic: whether the fields that any command may have are allowed too.

    Raises:
        CommandError: 40415 for an unknown field.
    """

    def __init__(
        self, where: str, document: Mapping[str, Any], known: tuple[str, ...], *, generic: bool = True
    ) -> None:
        self._where = where
        self._document = document
        allowed = _allowed(known, generic=generic)
        for name in document:
            if name not in allowed and not (generic and name == where):
                raise CommandError(40415, f"BSON field '{where}.{name}' is an unknown field.")

    def __contains__(self, name: str) -> bool:
        return name in self._document

    def value(self, name: str) -> Any:
        """A field of any type, None if it is not there."""
        return self._document.get(name)

    def required(self, name: str) -> Any:
        """A field of any type that has to be there.

        Raises:
            CommandError: 40414, it is not.
        """
        if name not in self._document:
            raise CommandError(40414, f"BSON field '{self._where}.{name}' is missing but a required field")
        return self._document[name]

    def document(self, name: str) -> Document:
        """A document; empty if it is not there."""
        value = self._document.get(name)
        if value is None:
            return {}
        if not is_document(value):
            raise self._wrong_type(name, value, "object")
        return value

    def array(self, name: str) -> list[Any]:
        """An array; empty if it is not there."""
        value = self._document.get(name)
        if value is None:
            return []
        if not is_array(value):
            raise self._wrong_type(name, value, "array")
        return value

    def documents(self, name: str) -> list[Document]:
        """An array of documents that has to be there."""
        self.required(name)
        items = self.array(name)
        for item in items:
            if not is_document(item):
                raise self._wrong_type(f"{name}.0", item, "object")
        return items

    def string(self, name: str) -> str | None:
        """A string, None if it is not there."""
        value = self._document.get(name)
        if value is not None and not isinstance(value, str):
            raise self._wrong_type(name, value, "string")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean, or a number that stands for one."""
        value = self._document.get(name)
        if value is None:
            return default
        if not isinstance(value, bool) and not is_number(value):
            raise self._wrong_type(name, value, "bool")
        return truthy(value)

    def whole(self, name: str, *, least: int | None = 0) -> int | None:
        """A whole number, None if it is not there.

        Args:
            name: the field.
            least: the smallest number allowed.

        Raises:
            CommandError: 14 for another type, 51024 for a number that is too small.
        """
        value = self._document.get(name)
        if value is None:
            return None
        number = integer(value)
        if number is None:
            raise self._wrong_type(name, value, "int")
        if least is not None and number < least:
            raise CommandError(51024, f"BSON field '{name}' value must be >= {least}, actual value '{number}'")
        return number

    def refuse(self, *names: str) -> None:
        """Make sure that options which this server does not have are absent or off.

        Raises:
            CommandError: 238, one of them is set.
        """
        for name in names:
            value = self._document.get(name)
            if value not in (None, False, {}, []):
                raise not_here(f"the option {name} of {self._where}")

    def simple_collation(self) -> None:
        """Make sure that there is no collation but the simple one.

        Raises:
            CommandError: 238, there is one.
        """
        collation = self.document("collation")
        if collation and collation.get("locale") != "simple":
            raise not_here(f"the collation {collation.get('locale')!r}")

    def _wrong_type(self, name: str, value: Any, expected: str) -> CommandError:
        return CommandError(
            ErrorCode.TypeMismatch,
            f"BSON field '{self._where}.{name}' is the wrong type '{type_name(value)}', expected type '{expected}'",
        )
