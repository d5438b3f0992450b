"""BSON values are ordered, equal and typed as MongoDB has them."""

from __future__ import annotations

import datetime
import random
from typing import Any

import bson
import pytest
from bson import Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS

from aiomongo_tls.testing.data.values import equal, identical, integer, order_key, truthy, type_name, unique

WHEN = datetime.datetime(2026, 1, 1)

# MongoDB's manual, "Comparison/Sort Order", least first.
IN_ORDER: list[Any] = [
    MinKey(),
    None,
    float("nan"),
    float("-inf"),
    -1,
    0,
    Decimal128("0.5"),
    1,
    1.5,
    Int64(2**40),
    float("inf"),
    "",
    "A",
    "a",
    "aa",
    "é",
    {},
    {"a": 1},
    {"a": 1, "b": 1},
    {"a": 2},
    {"b": 1},
    {"a": "x"},
    [],
    [1],
    [1, 2],
    [2],
    b"",
    b"b",
    Binary(b"a", 5),
    b"aa",
    ObjectId("0" * 24),
    ObjectId("f" * 24),
    False,
    True,
    DatetimeMS(-(2**62)),
    WHEN,
    WHEN + datetime.timedelta(milliseconds=1),
    Timestamp(1, 1),
    Timestamp(1, 2),
    Regex("a"),
    Regex("b"),
    Code("x"),
    MaxKey(),
]


def test_the_order_of_values() -> None:
    """Shuffled values of all types come back in MongoDB's order."""
    shuffled = random.Random(7).sample(IN_ORDER, len(IN_ORDER))
    assert [repr(value) for value in sorted(shuffled, key=order_key)] == [repr(value) for value in IN_ORDER]


def test_every_decoded_type_has_a_place() -> None:
    """Whatever `bson` decodes can be ordered and has a type's name."""
    options: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
    document = bson.decode(bson.encode({str(i): value for i, value in enumerate(IN_ORDER)}), options)
    for value in document.values():
        assert order_key(value)
        assert type_name(value)


def test_numbers_are_equal_by_value() -> None:
    """1 is 1.0 and Int64(1) and Decimal128("1"), also as a key of a dictionary; True is not."""
    ones = [1, 1.0, Int64(1), Decimal128("1"), Decimal128("1.00")]
    assert len({order_key(one) for one in ones}) == 1
    assert not equal(1, True)
    assert order_key(True) not in {order_key(1)}


def test_identity_minds_numeric_types() -> None:
    """An update that only changes a number's type is a change."""
    assert equal({"a": 1}, {"a": Int64(1)})
    assert not identical({"a": 1}, {"a": Int64(1)})
    assert identical({"a": 1}, {"a": 1})


def test_documents_are_compared_in_order() -> None:
    """Equal fields in another order are another document."""
    assert not equal({"a": 1, "b": 2}, {"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (5.0, 5),
        (Int64(5), 5),
        (Decimal128("5"), 5),
        (5.5, None),
        (True, None),
        ("5", None),
        (float("inf"), None),
    ],
)
def test_whole_numbers(value: Any, expected: int | None) -> None:
    """Options take any number that is whole."""
    assert integer(value) == expected


def test_truth() -> None:
    """false, null, missing and zero are false; an empty string and an empty array are true."""
    assert not any(map(truthy, [False, None, 0, 0.0, Decimal128("0")]))
    assert all(map(truthy, [True, 1, "", [], {}, float("nan")]))


def test_unique_keeps_the_first() -> None:
    """Of equal values the first one stays, in its place."""
    assert unique([2, 1, 2.0, True, 1]) == [2, 1, True]
    assert [type(value) for value in unique([1.0, 1])] == [float]
