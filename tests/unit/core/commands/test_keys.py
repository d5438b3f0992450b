"""Keys with directions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aiomongo_tls.core.commands.keys import DESCENDING, TEXT, bounds_document, hint_value, index_name, key_document


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("a", {"a": 1}),
        (["a", "b"], {"a": 1, "b": 1}),
        ([("a", DESCENDING), "b"], {"a": -1, "b": 1}),
        ([["a", -1]], {"a": -1}),
        (("a", ("b", TEXT)), {"a": 1, "b": "text"}),
        ({"b": 1, "a": -1}, {"b": 1, "a": -1}),
        ([("score", {"$meta": "textScore"})], {"score": {"$meta": "textScore"}}),
    ],
)
def test_every_shape_of_keys(keys: object, expected: dict[str, object]) -> None:
    """Names, lists of names and pairs, and mappings all become an ordered document."""
    assert list(key_document(keys).items()) == list(expected.items())


def test_one_name_with_a_direction() -> None:
    """`sort("a", -1)` gives the direction apart."""
    assert key_document("a", -1) == {"a": -1}
    with pytest.raises(TypeError, match="one name"):
        key_document(["a"], -1)


@pytest.mark.parametrize("keys", [5, None, [5], [("a", 1, 2)], [(1, 1)], [("a", None)], {1: 1}, {"a": None}, object()])
def test_a_wrong_shape_is_a_type_error(keys: object) -> None:
    """What is not keys is refused with the name of the argument."""
    with pytest.raises(TypeError, match="sort"):
        key_document(keys, what="sort")


@pytest.mark.parametrize("keys", [[], {}, ()])
def test_no_key_is_a_value_error(keys: object) -> None:
    """At least one key is needed."""
    with pytest.raises(ValueError, match="at least one"):
        key_document(keys)


def test_bounds_have_values_of_any_kind() -> None:
    """`min` and `max` hold values, not directions."""
    now = datetime.now(UTC)
    assert bounds_document([("at", now), ("by", None)], what="min") == {"at": now, "by": None}
    with pytest.raises(TypeError, match="max"):
        bounds_document("a", what="max")


def test_a_hint_is_a_name_or_keys() -> None:
    """A string names an index, it is not a key."""
    assert hint_value("a_1") == "a_1"
    assert hint_value([("a", 1), ("b", -1)]) == {"a": 1, "b": -1}
    with pytest.raises(TypeError):
        hint_value(3)


def test_index_names_are_the_server_s() -> None:
    """Names and directions joined by underscores."""
    assert index_name({"a": 1, "b.c": -1, "t": "text"}) == "a_1_b.c_-1_t_text"
