"""Codec options, concerns and read preference, inherited."""

from __future__ import annotations

from typing import Any

import bson
import pymongo
import pytest
from bson.codec_options import CodecOptions
from bson.son import SON

from aiomongo_tls.client.settings import Settings
from aiomongo_tls.core.commands.decoding import DocumentsIn
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.concerns import ReadConcern, WriteConcern
from aiomongo_tls.core.options.read_preference import ReadPreference

MAJORITY = WriteConcern("majority")


def settings() -> Settings:
    return Settings.of(ClientOptions(write_concern=MAJORITY, read_preference=ReadPreference.NEAREST))


def test_what_is_not_given_is_inherited() -> None:
    """None stays, anything else replaces; the parent is not touched."""
    parent = settings()
    child = parent.changed(read_concern=ReadConcern("local"), write_concern=WriteConcern())
    assert child.values == (parent.codec_options, ReadPreference.NEAREST, WriteConcern(), ReadConcern("local"))
    assert parent.write_concern == MAJORITY
    assert parent.changed() is parent


@pytest.mark.parametrize("name", ["codec_options", "read_preference", "write_concern", "read_concern"])
def test_a_wrong_type_is_named(name: str) -> None:
    """`write_concern={"w": 1}` is a mistake that PyMongo reports, too."""
    wrong: dict[str, Any] = {name: {"w": 1}}
    with pytest.raises(TypeError, match=f"{name} has to be of"):
        settings().changed(**wrong)


def test_pymongos_classes_are_told_from_ours() -> None:
    """They have the same names; the message says whose is wanted."""
    theirs: Any = pymongo.WriteConcern(w=0)
    with pytest.raises(
        TypeError, match=r"write_concern has to be of type aiomongo_tls\.WriteConcern, not pymongo\.WriteConcern"
    ):
        settings().changed(write_concern=theirs)


def test_reads_and_writes_are_commands_of_different_kinds() -> None:
    """A read says where it may go and decodes documents; a write has neither and judges its concern."""
    options = settings().changed(codec_options=CodecOptions(document_class=SON))
    read = options.read_command("app", {"find": "c"}, DocumentsIn.CURSOR)
    write = options.write_command("app", {"insert": "c"})
    assert read.read_preference is ReadPreference.NEAREST
    assert read.decoder.codec_options.document_class is SON
    assert not read.raises_write_concern
    assert write.read_preference is None
    assert write.decoder.codec_options.document_class is dict
    # An error message of the server's may quote a value that it cut in the middle of a character.
    cut = bson.encode({"errmsg": "dup key: ab"}).replace(b"ab", b"a\xc3")
    assert write.decoder.decode(cut) == {"errmsg": "dup key: a\ufffd"}
    assert write.raises_write_concern
