"""Kinds of value: text in a URI, keywords, and what lands in the options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion

from aiomongo_tls.core.uri import kinds, value_kinds
from aiomongo_tls.core.uri.kinds import ABSENT, INT32_MAX, UNUSABLE, Kind


class Remarks(list[str]):
    """Collects the remarks of a kind."""

    def __call__(self, text: str, category: type[Warning] = UserWarning, *, damaged: bool = False) -> None:
        self.append(text)


def silent(text: str, category: type[Warning] = UserWarning, *, damaged: bool = False) -> None:
    pytest.fail(f"remarked: {text}")


@pytest.mark.parametrize(
    ("kind", "usable", "unusable"),
    [
        (kinds.BOOLEAN, {"true": True, "false": False}, ["", "TRUE", "2", "on", " true"]),
        (
            kinds.integer(),
            {"0": 0, "007": 7, str(INT32_MAX): INT32_MAX},
            ["", "-1", "+1", "1_0", "\uff11", "9" * 99],
        ),
        (kinds.integer(1, 9, also=-1), {"-1": -1, "9": 9}, ["0", "10", "-2"]),
        (kinds.milliseconds(), {"0": 0, "15": 15}, ["-1", "1.5", "inf", str(INT32_MAX + 1)]),
        (kinds.milliseconds(500, zero_is_none=False), {"500": 500}, ["0", "499"]),
        (kinds.TEXT, {"x": "x", " ": " "}, [""]),
        (kinds.SECRET_TEXT, {"": ""}, []),
        (kinds.text(longest=3), {"é1": "é1"}, ["éé"]),
        (kinds.one_of(["a", "b"]), {"a": "a"}, ["A", "", "c"]),
        (kinds.FILE, {"ca.pem": "ca.pem"}, ["", "a\0b"]),
        (kinds.ANY_OBJECT, {}, ["x"]),
        (value_kinds.W, {"0": 0, "majority": "majority", "1x": "1x"}, ["", str(INT32_MAX + 1)]),
        (value_kinds.TAG_SETS, {"": {}, "a:b,c:": {"a": "b", "c": ""}, "a:b:c": {"a": "b:c"}}, ["a", ":b", "a:b,"]),
        (value_kinds.COMPRESSORS, {"zlib": ["zlib"], "zstd,snappy": ["zstd", "snappy"]}, []),
        (value_kinds.PROPERTIES, {"a:b:c,D:e": {"A": "b:c", "D": "e"}}, []),
    ],
)
def test_text(kind: Kind, usable: dict[str, Any], unusable: list[str]) -> None:
    """Text of a URI becomes a value, or is not usable."""
    assert {text: kind.read(text, silent) for text in usable} == usable
    assert {text: kind.read(text, Remarks()) for text in unusable} == dict.fromkeys(unusable, UNUSABLE)


@pytest.mark.parametrize(
    ("kind", "usable", "unusable"),
    [
        (kinds.BOOLEAN, [True, False], ["true", 1, 0]),
        (kinds.integer(), [0, INT32_MAX], ["1", True, 1.0, -1, INT32_MAX + 1]),
        (kinds.milliseconds(), [0, 15, 1.5], ["15", True, -1, float("nan"), float("inf"), 1e300]),
        (kinds.TEXT, ["x"], ["", b"x", 1, "\ud800"]),
        (kinds.FILE, ["ca.pem", Path("ca.pem"), b"\x30"], ["", b"", 1, "a\0b"]),
        (kinds.PASSWORD, ["", "pw", b"pw", str], [1, ["pw"]]),
        (kinds.instance_of("a set", set), [{1}], [[1]]),
        (value_kinds.W, [0, 3, "majority"], [True, 1.0, "", [1]]),
        (value_kinds.AUTH_SOURCE, ["app"], [1, b"app"]),
        (value_kinds.TAG_SETS, [[{}], [{"a": "b"}, {}]], [{"a": "b"}, [], [1], "a", ["a:b", "c"]]),
        (value_kinds.COMPRESSORS, [[], ["zlib"]], [1, {"zlib"}]),
        (value_kinds.PROPERTIES, [{}, {"A": len}], [1, [("A", "b")], {1: "b"}]),
        (value_kinds.CERT_REQS, [], [True, "maybe", 3, None, 1.5]),
        (value_kinds.UUID_REPRESENTATION, ["standard"], ["Standard", 99, True, None]),
        (value_kinds.DATETIME_CONVERSION, ["DATETIME_MS"], ["datetime_ms", 9, True]),
    ],
)
def test_keyword(kind: Kind, usable: list[Any], unusable: list[Any]) -> None:
    """A keyword has the option's type, and no string that only looks like it."""
    assert [kind.take(value, silent) for value in usable] == usable
    assert [kind.take(value, Remarks()) for value in unusable] == [UNUSABLE] * len(unusable)


@pytest.mark.parametrize(
    ("kind", "value", "taken"),
    [
        (value_kinds.W, "3", 3),
        (value_kinds.TAG_SETS, "dc:ny", [{"dc": "ny"}]),
        (value_kinds.TAG_SETS, ["dc:ny", ""], [{"dc": "ny"}, {}]),
        (value_kinds.COMPRESSORS, "zlib,zstd", ["zlib", "zstd"]),
        (value_kinds.PROPERTIES, "A:b", {"A": "b"}),
        (value_kinds.PROPERTIES, {"canonicalize_host_name": True}, {"CANONICALIZE_HOST_NAME": "true"}),
        (value_kinds.CERT_REQS, 0, True),
        (value_kinds.CERT_REQS, 2, False),
        (value_kinds.CERT_REQS, "cert_none", True),
        (value_kinds.inverse(kinds.BOOLEAN), True, False),
        (value_kinds.inverse(kinds.BOOLEAN), "x", UNUSABLE),
        (value_kinds.UUID_REPRESENTATION, UuidRepresentation.STANDARD, "standard"),
        (value_kinds.DATETIME_CONVERSION, DatetimeConversion.DATETIME_AUTO, "DATETIME_AUTO"),
        (value_kinds.DATETIME_CONVERSION, 3, "DATETIME_MS"),
    ],
)
def test_keyword_in_another_form(kind: Kind, value: Any, taken: Any) -> None:
    """Some keywords can be given in PyMongo's other forms."""
    assert kind.take(value, silent) == taken


@pytest.mark.parametrize(
    ("kind", "value", "landed"),
    [
        (kinds.milliseconds(), 1500, 1.5),
        (kinds.milliseconds(), 0, None),
        (kinds.milliseconds(zero_is_none=False), 0, 0),
        (kinds.integer(), 0, 0),
        (value_kinds.COMPRESSORS, ["zlib"], ("zlib",)),
        (value_kinds.UUID_REPRESENTATION, "standard", UuidRepresentation.STANDARD),
        (value_kinds.DATETIME_CONVERSION, "DATETIME_MS", DatetimeConversion.DATETIME_MS),
    ],
)
def test_landing(kind: Kind, value: Any, landed: Any) -> None:
    """Times become seconds, and 0 becomes None where it means no limit."""
    assert kind.land(value) == landed


@pytest.mark.parametrize(
    ("kind", "none"),
    [(kinds.milliseconds(), 0), (kinds.integer(none=0), 0), (kinds.TEXT, ABSENT), (kinds.FILE, ABSENT)],
)
def test_none(kind: Kind, none: Any) -> None:
    """The keyword None means no limit where there is one, and otherwise not given."""
    assert kind.none is none or kind.none == none


def test_part_of_a_value_is_dropped_with_a_remark() -> None:
    """A comma inside a property's value cuts it, which is remarked."""
    remarks = Remarks()
    assert value_kinds.PROPERTIES.read("TOKEN_RESOURCE:a,b,ENVIRONMENT:azure", remarks) == {
        "TOKEN_RESOURCE": "a",
        "ENVIRONMENT": "azure",
    }
    assert len(remarks) == 1
