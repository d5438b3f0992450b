"""PyMongo Async's public face, method by method: names, parameters, their order and defaults."""

from __future__ import annotations

import inspect
from typing import Any

import pymongo
import pytest
from pymongo import collation, operations, results
from pymongo.asynchronous import collection, command_cursor, cursor, database, mongo_client

import aiomongo_tls
from aiomongo_tls.client.not_here import NOT_HERE

PAIRS: list[tuple[type, type]] = [
    (aiomongo_tls.AsyncClient, mongo_client.AsyncMongoClient),
    (aiomongo_tls.AsyncDatabase, database.AsyncDatabase),
    (aiomongo_tls.AsyncCollection, collection.AsyncCollection),
    (aiomongo_tls.AsyncCursor, cursor.AsyncCursor),
    (aiomongo_tls.AsyncCommandCursor, command_cursor.AsyncCommandCursor),
    (aiomongo_tls.InsertOne, operations.InsertOne),
    (aiomongo_tls.DeleteOne, operations.DeleteOne),
    (aiomongo_tls.DeleteMany, operations.DeleteMany),
    (aiomongo_tls.ReplaceOne, operations.ReplaceOne),
    (aiomongo_tls.UpdateOne, operations.UpdateOne),
    (aiomongo_tls.UpdateMany, operations.UpdateMany),
    (aiomongo_tls.IndexModel, operations.IndexModel),
    (aiomongo_tls.Collation, collation.Collation),
    (aiomongo_tls.InsertOneResult, results.InsertOneResult),
    (aiomongo_tls.InsertManyResult, results.InsertManyResult),
    (aiomongo_tls.UpdateResult, results.UpdateResult),
    (aiomongo_tls.DeleteResult, results.DeleteResult),
    (aiomongo_tls.BulkWriteResult, results.BulkWriteResult),
]

# What PyMongo has for its own sake: constants of its constructor, what makes an object that can be iterated by
# mistake, and `next` of objects that have none.
NOT_A_FEATURE = {
    "AsyncClient": {"HOST", "PORT", "eq_props", "next"},
    "AsyncDatabase": {"next"},
    "AsyncCollection": {"next"},
}
# `**kwargs` or positional leftovers of PyMongo that have names here, and what cursors are made of.
OTHER_SIGNATURE = {"AsyncCollection.find", "AsyncCollection.find_one", "AsyncClient.__init__"}
OTHER_SIGNATURE |= {"AsyncCursor.__init__", "AsyncCommandCursor.__init__", "UpdateResult.__init__"}
# Keywords that make a collection at once, which a constructor of ours does not do.
OTHER_SIGNATURE |= {"AsyncCollection.__init__"}


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda cls: cls.__name__)
def test_every_public_name_is_here_or_refused(ours: type, theirs: type) -> None:
    """What PyMongo has is there, or stands in the table of what is not here yet."""
    missing = public(theirs) - public(ours) - NOT_A_FEATURE.get(ours.__name__, set())
    assert not missing


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda cls: cls.__name__)
def test_properties_are_properties_and_coroutines_coroutines(ours: type, theirs: type) -> None:
    """What is awaited, called or read in PyMongo is awaited, called or read here."""
    for name in public(theirs) & public(ours):
        if name in NOT_HERE.get(ours.__name__, {}):
            continue
        one, other = inspect.getattr_static(ours, name), inspect.getattr_static(theirs, name)
        assert isinstance(one, property) is isinstance(other, property), name
        assert inspect.iscoroutinefunction(one) is inspect.iscoroutinefunction(other), name


def parameters() -> list[Any]:
    found = []
    for ours, theirs in PAIRS:
        for name in sorted({"__init__", *(public(theirs) & public(ours))}):
            member = inspect.getattr_static(theirs, name)
            absent = name in NOT_HERE.get(ours.__name__, {})
            if inspect.isfunction(member) and not absent and f"{ours.__name__}.{name}" not in OTHER_SIGNATURE:
                found.append(pytest.param(getattr(ours, name), getattr(theirs, name), id=f"{ours.__name__}.{name}"))
    return found


@pytest.mark.parametrize(("ours", "theirs"), parameters())
def test_parameters_are_the_same(ours: Any, theirs: Any) -> None:
    """Names, order, kinds and defaults: a call that works there works here."""

    def shape(function: Any) -> list[tuple[str, Any, Any]]:
        signature = inspect.signature(function)
        return [(p.name, p.kind, p.default) for p in signature.parameters.values()]

    assert shape(ours) == shape(theirs)


def test_find_has_the_parameters_of_pymongo_s_cursor() -> None:
    """`find` takes what PyMongo's cursor takes; PyMongo's own `find` only says `*args, **kwargs`."""
    theirs = list(inspect.signature(cursor.AsyncCursor.__init__).parameters.values())[2:]
    ours = list(inspect.signature(aiomongo_tls.AsyncCollection.find).parameters.values())[1:]
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


def test_the_client_takes_pymongo_s_arguments_in_pymongo_s_order() -> None:
    """Options follow as keywords."""
    theirs = list(inspect.signature(mongo_client.AsyncMongoClient).parameters)[:-1]
    ours = list(inspect.signature(aiomongo_tls.AsyncMongoClient).parameters)[:-1]
    assert ours == theirs


def test_constants_are_the_same() -> None:
    """Values that may be written down in somebody's code or files."""
    for name in ("ASCENDING", "DESCENDING", "GEO2D", "GEOSPHERE", "HASHED", "TEXT"):
        assert getattr(aiomongo_tls, name) == getattr(pymongo, name)
    for name in ("NON_TAILABLE", "TAILABLE", "TAILABLE_AWAIT", "EXHAUST"):
        assert getattr(aiomongo_tls.CursorType, name) == getattr(pymongo.CursorType, name)
    for cls in ("CollationStrength", "CollationAlternate", "CollationMaxVariable", "CollationCaseFirst"):
        theirs = {name: value for name, value in vars(getattr(collation, cls)).items() if name.isupper()}
        assert {name: getattr(getattr(aiomongo_tls, cls), name) for name in theirs} == theirs


def test_the_table_lists_nothing_that_is_here() -> None:
    """A method that has arrived leaves the table: PyMongo has every name in it, and it raises."""
    classes = {ours.__name__: (ours, theirs) for ours, theirs in PAIRS}
    for cls, names in NOT_HERE.items():
        ours, theirs = classes[cls]
        for name in names:
            assert name in public(theirs), f"{cls}.{name}"
            assert name in vars(ours), f"{cls}.{name}"
