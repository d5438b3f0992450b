"""PyMongo's methods that are not here yet."""

from __future__ import annotations

import inspect
from unittest.mock import MagicMock

import pytest

import aiomongo_tls
from aiomongo_tls.client.not_here import NOT_HERE, refuse_session

METHODS = [(cls, name, feature) for cls, names in NOT_HERE.items() for name, feature in names.items()]


@pytest.mark.parametrize(("cls", "name", "feature"), METHODS)
def test_a_missing_method_says_so_when_it_is_called(cls: str, name: str, feature: str) -> None:
    """Looking it up does no harm; calling it names the method, the feature and the README."""
    method = getattr(getattr(aiomongo_tls, cls), name)
    with pytest.raises(NotImplementedError, match="README") as raised:
        method(object(), 1, x=2)
    assert f"{cls}.{name} is not here yet" in str(raised.value)
    assert feature in str(raised.value)


def test_tools_that_look_at_everything_do_not_stumble() -> None:
    """Reading a property that has to be awaited does nothing yet."""
    client = aiomongo_tls.AsyncClient()
    assert {name for name, _ in inspect.getmembers(client)} >= {"ping", "options", "primary"}
    assert MagicMock(spec=client).ping is not None


def test_sessions_are_refused_where_they_are_given() -> None:
    """None is no session."""
    refuse_session(None)
    with pytest.raises(NotImplementedError, match="README"):
        refuse_session(object())


async def test_every_method_with_a_session_refuses_it() -> None:
    """Before anything is sent: these clients have no server."""
    client = aiomongo_tls.AsyncClient()
    database, users = client["app"], client["app"]["users"]
    session: None = object()  # type: ignore[assignment]
    index = aiomongo_tls.IndexModel("a")
    calls = [
        client.server_info(session),
        client.list_databases(session),
        client.list_database_names(session),
        client.drop_database("app", session),
        database.command("ping", session=session),
        database.aggregate([], session),
        database.list_collections(session),
        database.list_collection_names(session),
        database.drop_collection("users", session),
        database.create_collection("users", session=session),
        users.insert_one({}, session=session),
        users.insert_many([{}], session=session),
        users.update_one({}, {"$set": {}}, session=session),
        users.update_many({}, {"$set": {}}, session=session),
        users.replace_one({}, {}, session=session),
        users.delete_one({}, session=session),
        users.delete_many({}, session=session),
        users.bulk_write([aiomongo_tls.InsertOne({})], session=session),
        users.find_one({}, session=session),
        users.aggregate([], session),
        users.count_documents({}, session),
        users.distinct("a", session=session),
        users.find_one_and_delete({}, session=session),
        users.find_one_and_update({}, {"$set": {}}, session=session),
        users.find_one_and_replace({}, {}, session=session),
        users.create_index("a", session),
        users.create_indexes([index], session),
        users.drop_index("a", session),
        users.drop_indexes(session),
        users.list_indexes(session),
        users.index_information(session),
        users.drop(session),
        users.rename("b", session),
        users.options(session),
    ]
    for call in calls:
        with pytest.raises(NotImplementedError, match="sessions"):
            await call
    with pytest.raises(NotImplementedError, match="sessions"):
        users.find(session=session)
