"""The aggregate command."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls.core.commands.aggregate import aggregate_document, count_pipeline, writes_somewhere
from aiomongo_tls.core.options.concerns import ReadConcern, WriteConcern
from aiomongo_tls.errors import ConfigurationError


def made(pipeline: Any, **options: Any) -> dict[str, Any]:
    return aggregate_document("c", pipeline, options, ReadConcern(), WriteConcern("majority"))


def test_a_pipeline_and_a_cursor() -> None:
    """A read has no write concern; None leaves an option out."""
    assert made([{"$match": {}}], let=None) == {"aggregate": "c", "pipeline": [{"$match": {}}], "cursor": {}}


def test_options_pass_through() -> None:
    """`batchSize` is the cursor's, hint and collation are brought into shape."""
    document = made([], batchSize=2, hint=[("a", 1)], collation={"locale": "fr"}, allowDiskUse=True, maxTimeMS=5)
    assert document == {
        "aggregate": "c",
        "pipeline": [],
        "cursor": {"batchSize": 2},
        "hint": {"a": 1},
        "collation": {"locale": "fr"},
        "allowDiskUse": True,
        "maxTimeMS": 5,
    }


@pytest.mark.parametrize(
    ("options", "cursor"),
    [({}, {}), ({"batchSize": 0}, {"batchSize": 0}), ({"cursor": {"batchSize": 3}}, {"batchSize": 3})],
)
def test_an_empty_first_batch_can_be_asked_for(options: dict[str, Any], cursor: dict[str, Any]) -> None:
    """A batch size of 0 is not the same as none."""
    assert made([], **options)["cursor"] == cursor


@pytest.mark.parametrize("stage", ["$out", "$merge"])
def test_pipelines_that_write(stage: str) -> None:
    """They get the write concern, and no batch size."""
    document = made([{"$match": {}}, {stage: "t"}], batchSize=2)
    assert document["writeConcern"] == {"w": "majority"}
    assert document["cursor"] == {}
    assert made([{stage: "t"}], cursor={"batchSize": 2})["cursor"] == {}
    assert writes_somewhere(document["pipeline"])
    assert not writes_somewhere([])


def test_a_read_concern_is_sent() -> None:
    """If it is not the server's default."""
    assert aggregate_document(1, [], {}, ReadConcern("local"), WriteConcern())["readConcern"] == {"level": "local"}


def test_wrong_arguments() -> None:
    """Before anything is sent."""
    with pytest.raises(TypeError, match="pipeline"):
        made({"$match": {}})
    with pytest.raises(ConfigurationError, match="explain"):
        made([], explain=True)
    with pytest.raises(TypeError, match="let"):
        made([], let=[])


def test_counting_is_a_pipeline() -> None:
    """Skip and limit before the count; a limit of 0 is the server's to refuse."""
    assert count_pipeline({"a": 1}, None, None) == [{"$match": {"a": 1}}, {"$group": {"_id": 1, "n": {"$sum": 1}}}]
    assert count_pipeline({}, 2, 3)[1:3] == [{"$skip": 2}, {"$limit": 3}]
    with pytest.raises(TypeError, match="filter"):
        count_pipeline(None, None, None)
