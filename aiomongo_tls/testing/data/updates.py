"""Updates: operators, replacements, pipelines; and the document that an upsert inserts.

An update is compiled once and applied to a copy of each document. Fields are changed in the order of their names, which
is what the server does since 5.0 and what decides where new fields stand. MongoDB's manual: "Update Operators".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bson import ObjectId, Timestamp

from aiomongo_tls.testing.data import field_updates
from aiomongo_tls.testing.data.containers import clone, get_at, remove_at, set_at
from aiomongo_tls.testing.data.matching import Matcher, is_operators, matcher
from aiomongo_tls.testing.data.paths import position
from aiomongo_tls.testing.data.pipeline import update_pipeline
from aiomongo_tls.testing.data.positional import matched_position
from aiomongo_tls.testing.data.values import MISSING, Document, identical, is_array, is_document, is_regex, type_name
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    import datetime

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What an update may ask about the moment it is applied.

    Args:
        now: the present time, for `$currentDate`.
        query: the filter that found the document, for the positional operator.
        inserting: whether the document is about to be inserted (upsert).
    """

    now: datetime.datetime
    query: Mapping[str, Any]
    inserting: bool = False


Updater = Callable[[Document, Occasion], Document]
"""From a document to the changed document; the given one stays as it is."""


def updater(update: Any, array_filters: Sequence[Any] = ()) -> Updater:
    """Compile an update.

    Args:
        update: operators, a whole replacement, or a pipeline.
        array_filters: conditions for the `$[name]` in its paths.

    Raises:
        CommandError: it is malformed, or uses what this server does not have.
    """
    if is_array(update):
        if array_filters:
            raise CommandError(ErrorCode.FailedToParse, "arrayFilters may not be specified for pipeline-style updates")
        change = update_pipeline(update)
        return lambda document, _: _keep_id(document, change(document))
    if not is_document(update):
        raise CommandError(ErrorCode.FailedToParse, "Update argument must be either an object or an array")
    if not is_operator_update(update):
        if array_filters:
            raise CommandError(ErrorCode.FailedToParse, "arrayFilters may not be specified for replacement updates")
        if any(name.startswith("$") for name in update):
            raise CommandError(
                ErrorCode.DollarPrefixedFieldName, "a replacement cannot have fields that start with '$'"
            )
        return lambda document, occasion: _keep_id(document, stamped(clone(update), occasion.now))
    return _operator_updater(update, array_filters)


def is_operator_update(update: Any) -> bool:
    """Whether an update consists of operators; the first field decides."""
    return is_document(update) and next(iter(update), "").startswith("$")


def _keep_id(before: Document, after: Document) -> Document:
    """The changed document with its `_id` in front; a document's `_id` never changes."""
    if "_id" not in before:
        return after
    identifier = before["_id"]
    if "_id" in after and not identical(after["_id"], identifier):
        raise _changed_id()
    return {"_id": identifier, **{name: value for name, value in after.items() if name != "_id"}}


def _changed_id() -> CommandError:
    return CommandError(
        ErrorCode.ImmutableField, "Performing an update on the path '_id' would modify the immutable field '_id'"
    )


@dataclass(frozen=True, slots=True)
class _Change:
    """One operator on one path."""

    path: Path
    operator: str
    compute: field_updates.FieldUpdate
    target: Path | None = None
    """Where `$rename` puts the value."""


def _operator_updater(update: Document, array_filters: Sequence[Any]) -> Updater:
    filters = _array_filters(array_filters)
    changes = sorted(_changes(update), key=lambda change: [_by_name(part) for part in change.path])
    _check_paths(changes, filters)

    def apply(document: Document, occasion: Occasion) -> Document:
        result = clone(document)
        for change in changes:
            if change.operator == "$setOnInsert" and not occasion.inserting:
                continue
            if change.target is not None:
                _rename(result, change.path, change.target)
                continue
            # Places are found in the document as it was: an earlier change may have made the condition untrue.
            for path in _places(document, change.path, filters, occasion):
                _apply(result, path, change, occasion)
        if "_id" in document and "_id" not in result:
            raise _changed_id()
        return _keep_id(document, result)

    return apply


def _by_name(part: str) -> tuple[int, int, str]:
    index = position(part)
    return (1, 0, part) if index is None else (0, index, "")


def _changes(update: Document) -> Iterator[_Change]:
    for operator, fields in update.items():
        if operator not in field_updates.OPERATORS and operator != "$rename":
            raise CommandError(
                ErrorCode.FailedToParse,
                f"Unknown modifier: {operator}. Expected a valid update modifier or pipeline-style update "
                "specified as an array",
            )
        if not is_document(fields):
            raise CommandError(
                ErrorCode.FailedToParse,
                f"Modifiers operate on fields but we found type {type_name(fields)} instead. For example: "
                f"{{$mod: {{<field>: ...}}}} not {{{operator}: {fields!r}}}",
            )
        for name, argument in fields.items():
            if operator == "$rename":
                if not isinstance(argument, str):
                    raise CommandError(ErrorCode.BadValue, f"The 'to' field for $rename must be a string: {name}")
                if argument == name:
                    text = f'The source and target field for $rename must differ: {name}: "{name}"'
                    raise CommandError(ErrorCode.BadValue, text)
                yield _Change(_parts(name), operator, field_updates.nothing, _parts(argument))
            else:
                yield _Change(_parts(name), operator, field_updates.OPERATORS[operator](name, argument))


def _parts(name: str) -> Path:
    parts = tuple(name.split("."))
    if "" in parts:
        raise CommandError(
            ErrorCode.EmptyFieldName, f"The update path '{name}' contains an empty field name, which is not allowed."
        )
    for part in parts:
        if part.startswith("$") and part != "$" and not (part.startswith("$[") and part.endswith("]")):
            raise CommandError(
                ErrorCode.DollarPrefixedFieldName, f"The dollar ($) prefixed field '{part}' in '{name}' is not allowed"
            )
    return parts


def _check_paths(changes: Sequence[_Change], filters: Mapping[str, Any]) -> None:
    """No two changes may touch the same place, and every array filter must be used."""
    seen: list[Path] = []
    used: set[str] = set()
    for change in changes:
        for path in (change.path, change.target):
            if path is None:
                continue
            for other in seen:
                length = min(len(path), len(other))
                if path[:length] == other[:length]:
                    name, at = ".".join(path), ".".join(path[:length])
                    raise CommandError(
                        ErrorCode.ConflictingUpdateOperators,
                        f"Updating the path '{name}' would create a conflict at '{at}'",
                    )
            seen.append(path)
            used |= {part[2:-1] for part in path if part.startswith("$[")}
    for name in used - filters.keys() - {""}:
        raise CommandError(ErrorCode.BadValue, f"No array filter found for identifier '{name}'")
    for name in filters.keys() - used:
        raise CommandError(
            ErrorCode.FailedToParse, f"The array filter for identifier '{name}' was not used in the update"
        )


def _array_filters(array_filters: Sequence[Any]) -> dict[str, Callable[[Any], bool]]:
    found: dict[str, Callable[[Any], bool]] = {}
    for entry in array_filters:
        names = set(_identifiers(entry))
        if len(names) != 1:
            raise CommandError(
                ErrorCode.FailedToParse,
                f"Error parsing array filter: expected a single top-level field name, found {sorted(names)}",
            )
        (name,) = names
        if name in found:
            raise CommandError(
                ErrorCode.FailedToParse, f"Found multiple array filters with the same top-level field name {name}"
            )
        found[name] = _element_filter(name, matcher(entry))
    return found


def _element_filter(name: str, matches: Matcher) -> Callable[[Any], bool]:
    return lambda element: matches({name: element})


def _identifiers(entry: Any) -> Iterator[str]:
    if not is_document(entry):
        raise CommandError(ErrorCode.TypeMismatch, "array filters have to be objects")
    for key, operand in entry.items():
        if key in {"$and", "$or", "$nor"} and is_array(operand):
            for branch in operand:
                yield from _identifiers(branch)
        else:
            yield key.partition(".")[0]


def _places(document: Document, path: Path, filters: Mapping[str, Any], occasion: Occasion) -> Iterator[Path]:
    """The paths that a path with `$`, `$[]` or `$[name]` stands for in a document."""
    for depth, part in enumerate(path):
        if not part.startswith("$"):
            continue
        before, after = path[:depth], path[depth + 1 :]
        array = get_at(document, before)
        name = ".".join(before)
        if part == "$":
            indexes: Sequence[int] = [matched_position(occasion.query, document, before)]
        elif array is MISSING:
            raise CommandError(
                ErrorCode.BadValue, f"The path '{name}' must exist in the document in order to apply array updates."
            )
        elif not is_array(array):
            raise CommandError(ErrorCode.BadValue, f"Cannot apply array updates to non-array element {name}")
        else:
            accepts = filters.get(part[2:-1])
            indexes = [index for index, element in enumerate(array) if accepts is None or accepts(element)]
        for index in indexes:
            yield from _places(document, (*before, str(index), *after), filters, occasion)
        return
    yield path


def _apply(document: Document, path: Path, change: _Change, occasion: Occasion) -> None:
    current = get_at(document, path)
    new = change.compute(current, occasion.now)
    if new is MISSING:
        if current is not MISSING:
            remove_at(document, path)
    elif new is not current:
        set_at(document, path, clone(new))


def _rename(document: Document, source: Path, target: Path) -> None:
    for path in (source, target):
        for depth in range(1, len(path)):
            if isinstance(get_at(document, path[:depth]), list):
                raise CommandError(ErrorCode.BadValue, f"The field '{'.'.join(path)}' of $rename cannot be in an array")
    value = get_at(document, source)
    if value is not MISSING:
        remove_at(document, source)
        set_at(document, target, value)


def upserted(query: Mapping[str, Any], update: Any, change: Updater, now: datetime.datetime) -> Document:
    """The document that an upsert inserts when nothing matched.

    Args:
        query: the filter; its equalities become fields.
        update: the update as it was written.
        change: the compiled update.
        now: the present time.
    """
    base: Document = {}
    for path, value in _equalities(query):
        if is_operator_update(update) or is_array(update) or path == ("_id",):
            if get_at(base, path) is not MISSING:
                raise CommandError(
                    ErrorCode.NotSingleValueField,
                    f"cannot infer query fields to set, path '{'.'.join(path)}' is matched twice",
                )
            set_at(base, path, clone(value))
    result = change(base, Occasion(now=now, query=query, inserting=True))
    identifier = result["_id"] if "_id" in result else ObjectId()
    return {"_id": identifier, **{name: value for name, value in result.items() if name != "_id"}}


def _equalities(query: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for key, operand in query.items():
        if key == "$and" or (key == "$or" and len(operand) == 1):
            for branch in operand:
                yield from _equalities(branch)
        elif key.startswith("$") or is_regex(operand):
            continue
        elif not is_operators(operand):
            yield tuple(key.split(".")), operand
        elif "$eq" in operand:
            yield tuple(key.split(".")), operand["$eq"]
        elif "$all" in operand and len(operand["$all"]) == 1:
            yield tuple(key.split(".")), operand["$all"][0]


def stamped(document: Document, now: datetime.datetime) -> Document:
    """An inserted document as the server stores it: empty timestamps at the top become the present time."""
    empty = Timestamp(0, 0)
    if any(isinstance(value, Timestamp) and value == empty and name != "_id" for name, value in document.items()):
        stamp = field_updates.timestamp(now)
        return {
            name: stamp if isinstance(value, Timestamp) and value == empty and name != "_id" else value
            for name, value in document.items()
        }
    return document
