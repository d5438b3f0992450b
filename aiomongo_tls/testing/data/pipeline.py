"""Aggregation pipelines: stages as functions from documents to documents.

A pipeline is compiled once. Stages that look at other collections (`$lookup`, `$unionWith`) get them from a
`Resolver`; `$out` and `$merge`, which write, are taken off the end by `split_output` and carried out by the command.
MongoDB's manual: "Aggregation Stages".
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from bson import Int64

from aiomongo_tls.testing.data.accumulators import Accumulator, accumulator
from aiomongo_tls.testing.data.containers import clone, get_at, remove_at, set_at
from aiomongo_tls.testing.data.expressions import evaluator
from aiomongo_tls.testing.data.matching import matcher
from aiomongo_tls.testing.data.ordering import sorter
from aiomongo_tls.testing.data.paths import expanded, values_at
from aiomongo_tls.testing.data.projection import projector
from aiomongo_tls.testing.data.values import MISSING, Document, integer, is_array, is_document, order_key, type_name
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

Stage = Callable[[Iterable[Document]], Iterable[Document]]
"""From the documents that enter to those that leave."""
Resolver = Callable[[str], Iterable[Document]]
"""From a collection's name to its documents."""

_UNSUPPORTED = frozenset(
    {
        *("$bucket", "$bucketAuto", "$changeStream", "$collStats", "$currentOp", "$densify", "$documents", "$fill"),
        *("$geoNear", "$graphLookup", "$indexStats", "$listLocalSessions", "$listSessions", "$planCacheStats"),
        *("$redact", "$search", "$searchMeta", "$setWindowFields", "$vectorSearch", "$listSearchIndexes"),
    }
)
_WRITING = {"$out", "$merge"}


def no_collections(name: str) -> Iterable[Document]:
    """A resolver for pipelines that may not look at other collections."""
    raise not_here(f"another collection ({name}) in this pipeline")


def pipeline(stages: Sequence[Any], resolve: Resolver = no_collections) -> Stage:
    """Compile a pipeline.

    Args:
        stages: the stages as the user wrote them, without `$out` and `$merge`.
        resolve: gives the documents of other collections.

    Raises:
        CommandError: a stage is malformed, unknown (40324), or not here (238).
    """
    compiled = [_stage(stage, resolve) for stage in stages]

    def run(documents: Iterable[Document]) -> Iterable[Document]:
        for stage in compiled:
            documents = stage(documents)
        return documents

    return run


def split_output(stages: Sequence[Any]) -> tuple[Sequence[Any], str | None, Any]:
    """Take a writing stage off the end of a pipeline.

    Args:
        stages: the whole pipeline.

    Returns:
        The rest, `$out` or `$merge` (None if there is neither), and its argument.
    """
    for index, stage in enumerate(stages):
        name = _name_of(stage)
        if name in _WRITING:
            if index != len(stages) - 1:
                raise CommandError(40601, f"{name} can only be the final stage in the pipeline")
            return stages[:-1], name, stage[name]
    return stages, None, None


def _name_of(stage: Any) -> str:
    if not is_document(stage):
        raise CommandError(ErrorCode.TypeMismatch, "Each element of the 'pipeline' array must be an object")
    if len(stage) != 1:
        raise CommandError(40323, "A pipeline stage specification object must contain exactly one field.")
    return next(iter(stage))


def _stage(stage: Any, resolve: Resolver) -> Stage:
    name = _name_of(stage)
    argument = stage[name]
    if name in _STAGES:
        return _STAGES[name](argument)
    if name in _WITH_COLLECTIONS:
        return _WITH_COLLECTIONS[name](argument, resolve)
    if name in _UNSUPPORTED or name in _WRITING:
        raise not_here(f"the aggregation stage {name}")
    raise CommandError(40324, f"Unrecognized pipeline stage name: '{name}'")


def _object(name: str, argument: Any, code: int = 15959) -> Document:
    if not is_document(argument):
        raise CommandError(code, f"the {name} specification must be an object, found {type_name(argument)}")
    return argument


def _match(argument: Any) -> Stage:
    matches = matcher(_object("$match", argument))
    return lambda documents: filter(matches, documents)


def _sort(argument: Any) -> Stage:
    specification = _object("$sort", argument, 15973)
    if not specification:
        raise CommandError(15976, "$sort stage must have at least one sort key")
    return sorter(specification)


def _number(name: str, argument: Any, least: int, code: int) -> int:
    number = integer(argument)
    if number is None or number < least:
        raise CommandError(
            code, f"invalid argument to {name} stage: expected a number of at least {least}, found {argument!r}"
        )
    return number


def _skip(argument: Any) -> Stage:
    number = _number("$skip", argument, 0, 5107200)
    return lambda documents: list(documents)[number:]


def _limit(argument: Any) -> Stage:
    number = _number("$limit", argument, 1, 15958)
    return lambda documents: list(documents)[:number]


def _sample(argument: Any) -> Stage:
    options = _object("$sample", argument, 28745)
    if options.keys() != {"size"}:
        raise CommandError(28748, "$sample takes a size and nothing else")
    size = _number("$sample", options["size"], 0, 28747)

    def choose(documents: Iterable[Document]) -> list[Document]:
        found = list(documents)
        return random.sample(found, min(size, len(found)))

    return choose


def _count(argument: Any) -> Stage:
    if not isinstance(argument, str) or not argument or argument.startswith("$") or "." in argument:
        raise CommandError(40156, "the count field must be a non-empty string, without '$' in front and without '.'")

    def count(documents: Iterable[Document]) -> list[Document]:
        number = sum(1 for _ in documents)
        return [{argument: number}] if number else []

    return count


def _project(argument: Any) -> Stage:
    specification = _object("$project", argument, 15969)
    if not specification:
        raise CommandError(51272, "Invalid $project :: projection specification must have at least one field")
    project = projector(specification)
    return lambda documents: map(project, documents)


def _add_fields(argument: Any) -> Stage:
    fields = [
        (tuple(name.split(".")), evaluator(value)) for name, value in _flattened(_object("$addFields", argument, 40272))
    ]
    paths = [parts for parts, _ in fields]
    if any("" in parts or parts[0].startswith("$") for parts in paths):
        raise CommandError(ErrorCode.FailedToParse, "$addFields: not a field path")
    for one, other in combinations(paths, 2):
        if all(mine == theirs for mine, theirs in zip(one, other, strict=False)):
            raise CommandError(
                40176,
                "specification contains two conflicting paths. "
                f"Cannot specify both '{'.'.join(one)}' and '{'.'.join(other)}'",
            )

    def add(document: Document) -> Document:
        result = clone(document)
        for parts, expression in fields:
            value = expression(document)
            if value is MISSING:
                if get_at(result, parts) is not MISSING:
                    remove_at(result, parts)
            else:
                _put(result, parts, value)
        return result

    return lambda documents: map(add, documents)


def _flattened(fields: Document, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested documents of `$addFields` as dotted paths."""
    for name, value in fields.items():
        if is_document(value) and value and not next(iter(value)).startswith("$"):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _put(holder: Any, parts: Sequence[str], value: Any) -> None:
    """Set a field as `$addFields` does: in every element of an array, over whatever is no document."""
    head, *rest = parts
    if not rest:
        holder[head] = value
        return
    inner = holder.get(head)
    if is_array(inner):
        holder[head] = [_with(element, rest, value) for element in inner]
    else:
        holder[head] = _with(inner, rest, value)


def _with(element: Any, parts: Sequence[str], value: Any) -> Any:
    if is_array(element):
        return [_with(item, parts, value) for item in element]
    fields: Document = element if is_document(element) else {}
    _put(fields, parts, value)
    return fields


def _unset(argument: Any) -> Stage:
    names = argument if is_array(argument) else [argument]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise CommandError(31120, "$unset specification must be a string or an array of strings")
    project = projector(dict.fromkeys(names, 0))
    return lambda documents: map(project, documents)


def _unwind(argument: Any) -> Stage:
    options = argument if is_document(argument) else {"path": argument}
    if options.keys() - {"path", "includeArrayIndex", "preserveNullAndEmptyArrays"}:
        raise CommandError(28811, f"unrecognized option to $unwind stage: {sorted(options)}")
    path = options.get("path")
    if not isinstance(path, str) or not path.startswith("$") or len(path) < 2:
        raise CommandError(28818, f"path option to $unwind stage should be prefixed with a '$': {path!r}")
    parts = path[1:].split(".")
    index_field = options.get("includeArrayIndex")
    preserve = bool(options.get("preserveNullAndEmptyArrays"))

    def unwind(documents: Iterable[Document]) -> Iterable[Document]:
        for document in documents:
            value = get_at(document, parts) if not _crosses_array(document, parts) else MISSING
            if is_array(value) and value:
                elements: list[tuple[int | None, Any]] = list(enumerate(value))
            elif value not in (None, MISSING, []) or preserve:
                elements = [(None, MISSING if value == [] else value)]
            else:
                continue
            for index, element in elements:
                result = clone(document)
                if element is not MISSING:
                    set_at(result, parts, clone(element))
                elif value is not MISSING:
                    remove_at(result, parts)
                if index_field is not None:
                    set_at(result, index_field.split("."), None if index is None else Int64(index))
                yield result

    return unwind


def _crosses_array(document: Document, parts: Sequence[str]) -> bool:
    return any(isinstance(get_at(document, parts[:depth]), list) for depth in range(1, len(parts)))


def _group(argument: Any) -> Stage:
    specification = dict(_object("$group", argument, 15947))
    if "_id" not in specification:
        raise CommandError(15955, "a group specification must include an _id")
    key_of = evaluator(specification.pop("_id"))
    fields: dict[str, Accumulator] = {name: accumulator(name, value) for name, value in specification.items()}

    def group(documents: Iterable[Document]) -> Iterable[Document]:
        groups: dict[Any, tuple[Any, list[Document]]] = {}
        for document in documents:
            key = key_of(document)
            if key is MISSING:
                key = None
            groups.setdefault(order_key(key), (key, []))[1].append(document)
        for key, members in groups.values():
            yield {"_id": key, **{name: compute(members) for name, compute in fields.items()}}

    return group


def _sort_by_count(argument: Any) -> Stage:
    return pipeline([{"$group": {"_id": argument, "count": {"$sum": 1}}}, {"$sort": {"count": -1}}])


def _replace_root(argument: Any) -> Stage:
    options = _object("$replaceRoot", argument, 40229)
    if options.keys() != {"newRoot"}:
        raise CommandError(40231, "$replaceRoot takes newRoot and nothing else")
    return _replace_with(options["newRoot"])


def _replace_with(argument: Any) -> Stage:
    new_root = evaluator(argument)

    def replace(document: Document) -> Document:
        value = new_root(document)
        if not is_document(value):
            raise CommandError(
                40228, f"'newRoot' must evaluate to an object, but resulting value was of type {type_name(value)}"
            )
        return value

    return lambda documents: map(replace, documents)


def _facet(argument: Any, resolve: Resolver) -> Stage:
    branches = {name: pipeline(stages, resolve) for name, stages in _object("$facet", argument, 40169).items()}
    if not branches:
        raise CommandError(40169, "the $facet specification must be a non-empty object")

    def split(documents: Iterable[Document]) -> list[Document]:
        found = list(documents)
        return [{name: list(branch(found)) for name, branch in branches.items()}]

    return split


def _lookup(argument: Any, resolve: Resolver) -> Stage:
    options = _object("$lookup", argument, ErrorCode.FailedToParse)
    wanted = {"from", "localField", "foreignField", "as"}
    if options.keys() != wanted or not all(isinstance(value, str) for value in options.values()):
        raise not_here("$lookup with other options than from, localField, foreignField and as")
    local, foreign = options["localField"].split("."), options["foreignField"].split(".")
    target = options["as"].split(".")

    def join(documents: Iterable[Document]) -> Iterable[Document]:
        others = [
            ({order_key(value) for value in expanded(list(values_at(other, foreign)))}, other)
            for other in resolve(options["from"])
        ]
        for document in documents:
            keys = {
                order_key(item)
                for value in values_at(document, local)
                for item in (value if is_array(value) else [value])
            }
            result = clone(document)
            set_at(result, target, [other for found, other in others if found & keys])
            yield result

    return join


def _union_with(argument: Any, resolve: Resolver) -> Stage:
    options = (
        {"coll": argument} if isinstance(argument, str) else _object("$unionWith", argument, ErrorCode.FailedToParse)
    )
    if options.keys() - {"coll", "pipeline"} or "coll" not in options:
        raise not_here("$unionWith with other options than coll and pipeline")
    run = pipeline(options.get("pipeline", ()), resolve)
    return lambda documents: [*documents, *run(resolve(options["coll"]))]


_STAGES: Mapping[str, Callable[[Any], Stage]] = {
    "$match": _match,
    "$sort": _sort,
    "$skip": _skip,
    "$limit": _limit,
    "$sample": _sample,
    "$count": _count,
    "$project": _project,
    "$addFields": _add_fields,
    "$set": _add_fields,
    "$unset": _unset,
    "$unwind": _unwind,
    "$group": _group,
    "$sortByCount": _sort_by_count,
    "$replaceRoot": _replace_root,
    "$replaceWith": _replace_with,
}

_WITH_COLLECTIONS: Mapping[str, Callable[[Any, Resolver], Stage]] = {
    "$facet": _facet,
    "$lookup": _lookup,
    "$unionWith": _union_with,
}

_IN_UPDATES = {"$addFields", "$set", "$project", "$unset", "$replaceRoot", "$replaceWith"}


def update_pipeline(stages: Sequence[Any]) -> Callable[[Document], Document]:
    """Compile the pipeline of an update.

    Args:
        stages: the stages; those that make one document of one document are allowed.

    Raises:
        CommandError: a stage is malformed or not allowed in updates.
    """
    for stage in stages:
        if (name := _name_of(stage)) not in _IN_UPDATES:
            raise CommandError(ErrorCode.InvalidOptions, f"{name} is not allowed to be used within an update")
    run = pipeline(stages)

    def change(document: Document) -> Document:
        (changed,) = run([document])
        return changed

    return change
