"""How recent a server's word about itself is."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from bson import ObjectId
from bson.int64 import Int64

from aiomongo_tls.core.sdam.topology_version import TopologyVersion

RUN, OTHER_RUN = ObjectId(), ObjectId()


def version(counter: int, process_id: ObjectId = RUN) -> TopologyVersion:
    return TopologyVersion(process_id, counter)


def test_document() -> None:
    """It is read from a reply and sent back as the server wants it, with a 64 bit counter."""
    told = TopologyVersion.of({"processId": RUN, "counter": Int64(3)})
    assert told == version(3)
    assert bson.decode(bson.encode(told.document))["counter"] == Int64(3)
    assert isinstance(told.document["counter"], Int64)


@pytest.mark.parametrize(
    "document",
    [None, 1, "x", {}, {"processId": RUN}, {"counter": 1}, {"processId": "x", "counter": 1}]
    + [{"processId": RUN, "counter": counter} for counter in (None, "1", 1.0, True)],
)
def test_anything_else_is_absent(document: Any) -> None:
    """A field that is no topology version counts as absent."""
    assert TopologyVersion.of(document) is None


@pytest.mark.parametrize(
    ("told", "known", "is_older", "is_newer"),
    [
        (version(1), version(2), True, False),
        (version(2), version(2), False, False),
        (version(3), version(2), False, True),
        (version(1), version(2, OTHER_RUN), False, True),
        (version(1), None, False, True),
    ],
)
def test_comparison(told: TopologyVersion, known: TopologyVersion | None, is_older: bool, is_newer: bool) -> None:
    """Counters compare within one run of the server; what cannot be compared is taken as newer."""
    assert (told.is_older_than(known), told.is_newer_than(known)) == (is_older, is_newer)
