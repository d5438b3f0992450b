"""Every type of BSON goes to the server and comes back to the last bit."""

from __future__ import annotations

import datetime
from typing import Any

import bson
import pytest
from bson import CodecOptions
from bson.raw_bson import RawBSONDocument
from live_capabilities import VALUES

from aiomongo_tls import AsyncCollection

Things = AsyncCollection[dict[str, Any]]


@pytest.mark.parametrize(
    "value", [pytest.param(value, id=name, marks=pytest.mark.needs(f"value: {name}")) for name, value in VALUES.items()]
)
async def test_a_value_comes_back(things: Things, value: object) -> None:
    """As it was stored, by insert and by update."""
    await things.insert_one({"_id": 1, "v": value})
    raw = things.with_options(CodecOptions(RawBSONDocument))
    found = await raw.find_one({"_id": 1})
    assert found is not None
    assert found.raw == bson.encode({"_id": 1, "v": value})
    await things.update_one({"_id": 2}, {"$set": {"v": value}}, upsert=True)
    found = await raw.find_one({"_id": 2})
    assert found is not None
    assert found.raw == bson.encode({"_id": 2, "v": value})


async def test_the_order_of_fields_stays(things: Things) -> None:
    """A document is a sequence."""
    document = {"_id": 1, **{name: n for n, name in enumerate("zyxwvutsrqponmlkjihgfedcba")}}
    await things.insert_one(document)
    found = await things.find_one({})
    assert found is not None
    assert list(found) == list(document)


async def test_dates_with_a_time_zone(things: Things) -> None:
    """Where the codec options ask for it."""
    moment = datetime.datetime(2026, 5, 6, 7, 8, 9, 123_000, tzinfo=datetime.UTC)
    await things.insert_one({"_id": 1, "at": moment})
    aware = things.with_options(CodecOptions(tz_aware=True))
    found = await aware.find_one({"at": moment})
    assert found is not None
    assert found["at"] == moment


async def test_deep_documents(things: Things) -> None:
    """Forty levels, which is more than people have and less than servers allow."""
    document: dict[str, Any] = {}
    for _ in range(40):
        document = {"d": document, "l": [document.copy()] if not document else []}
    await things.insert_one({"_id": 1, "v": document})
    assert await things.find_one({}) == {"_id": 1, "v": document}


async def test_names_of_all_kinds(things: Things) -> None:
    """Fields with spaces, other alphabets, and a long name."""
    document = {"_id": 1, "two words": 1, "\u4e2d\u6587": 2, "x" * 1000: 3}
    await things.insert_one(document)
    assert await things.find_one({"two words": 1}) == document
