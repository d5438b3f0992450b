"""Projections of find, findAndModify and `$project`: which fields, and computed ones.

MongoDB's manual: "Project Fields to Return from Query", "$project".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiomongo_tls.testing.data.expressions import Expression, evaluator
from aiomongo_tls.testing.data.matching import element_test
from aiomongo_tls.testing.data.values import MISSING, Document, integer, is_array, is_document, is_number, truthy
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

Projector = Callable[[Document], Document]
"""From a stored document to the one that is returned."""

_Tree = dict[str, Any]
# Names to subtrees; at the leaves True (include), False (exclude) or a function from (document, value) to a value.


class _Computed:
    def __init__(self, compute: Callable[[Document, Any], Any]) -> None:
        self.compute = compute


def projector(specification: Mapping[str, Any], *, in_find: bool = False) -> Projector:
    """Compile a projection.

    Args:
        specification: fields with 1, 0 or an expression.
        in_find: whether it stands in `find`, where `$slice` and `$elemMatch` have another meaning than in a pipeline.

    Raises:
        CommandError: it is malformed, or uses what this server does not have.
    """
    tree: _Tree = {}
    for path, value in specification.items():
        _insert(tree, path, path, value, in_find=in_find)
    including = _kind(tree)
    identifier = tree.pop("_id", True)
    if including is None:
        # Nothing but _id was spoken of (or $slice, which keeps the rest).
        including = identifier is True and "_id" in specification

    def project(document: Document) -> Document:
        result: Document = {}
        if identifier is not False:
            stored = {"_id": document["_id"]} if "_id" in document else {}
            result |= (
                stored if identifier is True else _apply({"_id": identifier}, stored, document, including=including)
            )
        body = {name: value for name, value in document.items() if name != "_id"}
        return result | _apply(tree, body, document, including=including)

    return project


def _insert(tree: _Tree, path: str, whole: str, value: Any, *, in_find: bool) -> None:
    head, dot, rest = path.partition(".")
    if not head or (dot and not rest):
        raise CommandError(ErrorCode.FailedToParse, f"FieldPath must not have empty parts: {whole!r}")
    if head.startswith("$"):
        if head == "$" and in_find:
            raise not_here("the positional projection")
        raise CommandError(16410, f"FieldPath field names may not start with '$': {whole!r}")
    if not dot and is_document(value) and value and not next(iter(value)).startswith("$"):
        for name, nested in value.items():
            _insert(tree, f"{head}.{name}", whole, nested, in_find=in_find)
        return
    if dot:
        subtree = tree.setdefault(head, {})
        if not is_document(subtree):
            raise CommandError(31249, f"Path collision at {whole}")
        _insert(subtree, rest, whole, value, in_find=in_find)
    elif head in tree:
        raise CommandError(31250, f"Path collision at {whole}")
    else:
        tree[head] = _leaf(value, in_find=in_find)


def _leaf(value: Any, *, in_find: bool) -> bool | _Computed:
    if isinstance(value, bool) or is_number(value):
        return truthy(value)
    if in_find and is_document(value) and "$slice" in value and not is_array(value["$slice"]):
        return _slice([value["$slice"]])
    if in_find and is_document(value) and "$slice" in value and all(map(is_number, value["$slice"])):
        return _slice(value["$slice"])
    if in_find and is_document(value) and "$elemMatch" in value:
        return _elem_match(value["$elemMatch"])
    if value == {}:
        raise CommandError(51270, "An empty sub-projection is not a valid value. Found empty object at path")
    expression: Expression = evaluator(value)
    return _Computed(lambda document, _: expression(document))


class _Slice(_Computed):
    """Says nothing about the other fields, unlike all else."""


def _slice(arguments: list[Any]) -> _Computed:
    bounds = [integer(argument) for argument in arguments]
    if None in bounds or not 1 <= len(bounds) <= 2:
        raise CommandError(28667, "$slice takes a number, or two numbers in an array")
    first, *rest = (bound for bound in bounds if bound is not None)
    if rest and rest[0] <= 0:
        raise CommandError(28724, "$slice limit must be positive")

    def cut(_: Document, value: Any) -> Any:
        if not is_array(value):
            return value
        if not rest:
            return value[:first] if first >= 0 else value[first:]
        start = first if first >= 0 else max(0, len(value) + first)
        return value[start : start + rest[0]]

    return _Slice(cut)


def _elem_match(condition: Any) -> _Computed:
    if not is_document(condition):
        raise CommandError(ErrorCode.BadValue, "elemMatch: Invalid argument, object required")
    matches = element_test(condition)

    def first(_: Document, value: Any) -> Any:
        if is_array(value):
            for element in value:
                if matches(element):
                    return [element]
        return MISSING

    return _Computed(first)


def _kind(tree: _Tree, top: bool = True) -> bool | None:
    """Whether a projection includes (True) or excludes; None if it does not say."""
    kind: bool | None = None
    for name, node in tree.items():
        if top and name == "_id" and isinstance(node, bool):
            continue
        found = _kind(node, top=False) if is_document(node) else None if isinstance(node, _Slice) else node is not False
        if found is None:
            continue
        if kind is not None and kind != found:
            code = 31254 if kind else 31253
            raise CommandError(
                code,
                f"Cannot do {'exclusion' if kind else 'inclusion'} on field {name} in "
                f"{'inclusion' if kind else 'exclusion'} projection",
            )
        kind = found
    return kind


def _apply(tree: _Tree, value: Document, root: Document, *, including: bool) -> Document:
    result: Document = {}
    for name, item in value.items():
        node = tree.get(name)
        if node is None:
            if not including:
                result[name] = item
        elif node is True:
            result[name] = item
        elif isinstance(node, _Computed):
            if (computed := node.compute(root, item)) is not MISSING:
                result[name] = computed
        elif is_document(node):
            nested = _descend(node, item, root, including=including)
            if nested is not MISSING:
                result[name] = nested
    for name, node in tree.items():
        if name not in value:
            added = _add(node, root)
            if added is not MISSING:
                result[name] = added
    return result


def _descend(tree: _Tree, item: Any, root: Document, *, including: bool) -> Any:
    if is_document(item):
        return _apply(tree, item, root, including=including)
    if is_array(item):
        found = (_descend(tree, element, root, including=including) for element in item)
        return [element for element in found if element is not MISSING]
    if _add(tree, root) is not MISSING:
        return _add(tree, root)
    return MISSING if including else item


def _add(node: Any, root: Document) -> Any:
    """What a computed field puts where there was nothing."""
    if isinstance(node, _Slice):
        return MISSING
    if isinstance(node, _Computed):
        return node.compute(root, MISSING)
    if is_document(node):
        fields = {name: value for name, child in node.items() if (value := _add(child, root)) is not MISSING}
        return fields or MISSING
    return MISSING
