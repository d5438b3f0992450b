"""Read and write concerns."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from aiomongo_tls.core.options.concerns import DEFAULT_READ_CONCERN, DEFAULT_WRITE_CONCERN, ReadConcern, WriteConcern
from aiomongo_tls.errors import ConfigurationError


@pytest.mark.parametrize(
    ("arguments", "document", "acknowledged"),
    [
        ({}, {}, True),
        ({"w": 1}, {"w": 1}, True),
        ({"w": 0}, {"w": 0}, False),
        ({"w": 0, "j": False}, {"w": 0, "j": False}, False),
        ({"w": "majority", "wtimeout": 500, "j": True}, {"w": "majority", "wtimeout": 500, "j": True}, True),
        ({"fsync": True}, {"fsync": True}, True),
    ],
)
def test_write_concern_document(arguments: dict[str, Any], document: dict[str, Any], acknowledged: bool) -> None:
    """A write concern holds what was asked for and nothing else."""
    concern = WriteConcern(**arguments)
    assert (concern.document, concern.acknowledged, concern.is_server_default) == (
        document,
        acknowledged,
        not document,
    )


def test_write_concern_w_is_the_first_argument() -> None:
    """The order of arguments is PyMongo's: w, wtimeout, j, fsync."""
    assert WriteConcern(2, 100, False, True).document == {"w": 2, "wtimeout": 100, "j": False, "fsync": True}


@pytest.mark.parametrize("arguments", [{"w": -1}, {"wtimeout": -1}, {"w": 0, "j": True}, {"j": True, "fsync": True}])
def test_write_concern_refuses_what_cannot_be(arguments: dict[str, Any]) -> None:
    """Negative numbers and contradictions are configuration errors, which are ValueErrors."""
    with pytest.raises(ConfigurationError):
        WriteConcern(**arguments)


@pytest.mark.parametrize(
    "arguments", [{"w": 1.5}, {"w": True}, {"wtimeout": "1"}, {"wtimeout": True}, {"j": 1}, {"fsync": "true"}]
)
def test_write_concern_refuses_other_types(arguments: dict[str, Any]) -> None:
    """A wrong type is a TypeError that names the argument, as with PyMongo."""
    with pytest.raises(TypeError, match=next(iter(arguments))):
        WriteConcern(**arguments)


def test_read_concern() -> None:
    """A read concern holds its level; none is not the same as local."""
    assert ReadConcern().document == {}
    assert ReadConcern().is_server_default
    assert ReadConcern("local").document == {"level": "local"}
    assert not ReadConcern("local").is_server_default
    assert ReadConcern("local") != ReadConcern()
    with pytest.raises(TypeError, match="level"):
        ReadConcern(1)  # type: ignore[arg-type]


def test_concerns_cannot_be_changed_through_their_documents() -> None:
    """Every document is a new one."""
    concern = WriteConcern(w=1)
    concern.document["w"] = 0
    assert concern.document == {"w": 1}


def test_concerns_are_values() -> None:
    """Equal concerns are equal, hash alike, and survive copying and pickling."""
    for concern in (WriteConcern(w="majority", j=True), ReadConcern("majority"), ReadConcern()):
        for twin in (copy.deepcopy(concern), pickle.loads(pickle.dumps(concern))):
            assert twin == concern
            assert hash(twin) == hash(concern)
    assert DEFAULT_WRITE_CONCERN == WriteConcern() != WriteConcern(w=1)
    assert ReadConcern() == DEFAULT_READ_CONCERN
    assert WriteConcern() != ReadConcern()


def test_concern_reprs() -> None:
    """A repr is the call that makes the concern."""
    assert repr(WriteConcern(w="majority", wtimeout=5)) == "WriteConcern(w='majority', wtimeout=5)"
    assert repr(ReadConcern("local")) == "ReadConcern('local')"
    assert repr(ReadConcern()) == "ReadConcern()"
