"""Kinds of value with a grammar of their own: lists, tags, properties, write concerns, PyMongo 3's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion

from aiomongo_tls.core.events.listeners import LISTENERS
from aiomongo_tls.core.uri.kinds import INT32_MAX, INT64_MAX, UNUSABLE, Kind, Remark, integer, object_like, one_of
from aiomongo_tls.errors import ConfigurationError

_COMPRESSORS = ("snappy", "zlib", "zstd")


def _read_compressors(value: str, remark: Remark) -> Any:
    return _take_compressors(value.split(","), remark)


def _take_compressors(value: Any, remark: Remark) -> Any:
    if isinstance(value, str):
        return _read_compressors(value, remark)
    if not isinstance(value, (list, tuple)):
        return UNUSABLE
    names = cast(Iterable[Any], value)
    known: list[str] = []
    for name in names:
        if name in _COMPRESSORS:
            known.append(name)
        else:
            remark(f"names a compressor that is none of {', '.join(_COMPRESSORS)}; it is ignored")
    return known


COMPRESSORS: Final = Kind("a list of snappy, zlib, zstd", _read_compressors, _take_compressors, tuple)


def _read_tags(value: str, _remark: Remark) -> Any:
    tags: dict[str, str] = {}
    for pair in value.split(",") if value else ():
        name, colon, tag = pair.partition(":")
        if not colon or not name:
            return UNUSABLE
        tags[name] = tag
    return tags


def _take_tag_sets(value: Any, remark: Remark) -> Any:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple)) or not value:
        return UNUSABLE
    tag_sets: list[Any] = []
    for tags in cast(Iterable[Any], value):
        if isinstance(tags, str):
            tag_sets.append(_read_tags(tags, remark))
        elif isinstance(tags, Mapping):
            tag_sets.append(dict(cast(Mapping[str, Any], tags)))
        else:
            return UNUSABLE
    return UNUSABLE if UNUSABLE in tag_sets else tag_sets


# One key of a URI is one tag set; a keyword is the whole list.
TAG_SETS: Final = Kind("sets of tags such as dc:ny,rack:1 (empty: any member)", _read_tags, _take_tag_sets)


def _read_properties(value: str, remark: Remark) -> Any:
    """Split `NAME:value,NAME:value`. A comma inside a value cannot be told from the one between two."""
    properties: dict[str, Any] = {}
    for pair in value.split(","):
        name, colon, setting = pair.partition(":")
        if colon and name:
            properties[name.upper()] = setting
        else:
            remark("has a part without ':', which is ignored; a value cannot hold a comma in a URI", damaged=True)
    return properties or UNUSABLE


def _take_properties(value: Any, remark: Remark) -> Any:
    if isinstance(value, str):
        return _read_properties(value, remark)
    if not isinstance(value, Mapping):
        return UNUSABLE
    properties: dict[str, Any] = {}
    for name, setting in cast(Mapping[object, Any], value).items():
        if not isinstance(name, str):
            return UNUSABLE
        # PyMongo takes True and False where a URI has words.
        properties[name.upper()] = str(setting).lower() if isinstance(setting, bool) else setting
    return properties


PROPERTIES: Final = Kind(
    "NAME:value pairs with commas between them, or a dictionary", _read_properties, _take_properties
)


def _check_w(value: Any, remark: Remark) -> Any:
    if isinstance(value, str):
        number = integer(-INT64_MAX, INT64_MAX).read(value, remark)
        value = value if number is UNUSABLE else number
    if isinstance(value, bool) or not isinstance(value, (int, str)) or value == "":
        return UNUSABLE
    if isinstance(value, int) and value < 0:
        # The read and write concern specification wants an error even where other unusable values only warn.
        raise ConfigurationError("w has to be an integer of 0 or more, or a word such as majority; it is negative")
    return UNUSABLE if isinstance(value, int) and value > INT32_MAX else value


W: Final = Kind("an integer of 0 or more, or a word such as majority", _check_w, _check_w)


def _check_auth_source(value: Any, _remark: Remark) -> Any:
    if value == "":
        # "Errors" of the authentication specification: also without credentials.
        raise ConfigurationError("authSource is empty; name the database that knows the user, or leave authSource out")
    return value if isinstance(value, str) else UNUSABLE


AUTH_SOURCE: Final = Kind("the name of a database", _check_auth_source, _check_auth_source)


def _check_cert_reqs(value: Any, remark: Remark) -> Any:
    """PyMongo 3's `ssl_cert_reqs`, as the value of `tlsAllowInvalidCertificates`."""
    word = value.strip().upper().removeprefix("SSL.").removeprefix("CERT_") if isinstance(value, str) else value
    if isinstance(word, bool):
        return UNUSABLE
    if word in ("OPTIONAL", "1", 1):
        remark("CERT_OPTIONAL verifies the server's certificate as CERT_REQUIRED does: a client has no third way")
    return {"NONE": True, "0": True, 0: True}.get(word, False) if word in _CERT_REQS else UNUSABLE


_CERT_REQS = ("NONE", "OPTIONAL", "REQUIRED", "0", "1", "2", 0, 1, 2)
CERT_REQS: Final = Kind("CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED", _check_cert_reqs, _check_cert_reqs)


def inverse(kind: Kind) -> Kind:
    """The same values, meaning the opposite."""

    def opposite(value: Any) -> Any:
        return not value if isinstance(value, bool) else value

    return Kind(
        kind.expected,
        lambda value, remark: opposite(kind.read(value, remark)),
        lambda value, remark: opposite(kind.take(value, remark)),
    )


def _named(values: Mapping[str, Any]) -> Kind:
    words = one_of(values)

    def take(value: Any, remark: Remark) -> Any:
        # bson's constants are integers; True would be equal to one of them.
        if isinstance(value, int) and not isinstance(value, bool):
            return next((name for name, constant in values.items() if constant == value), UNUSABLE)
        return words.take(value, remark)

    return Kind(words.expected, words.read, take, lambda name: values[name])


UUID_REPRESENTATION: Final = _named(
    {
        "unspecified": UuidRepresentation.UNSPECIFIED,
        "standard": UuidRepresentation.STANDARD,
        "pythonLegacy": UuidRepresentation.PYTHON_LEGACY,
        "javaLegacy": UuidRepresentation.JAVA_LEGACY,
        "csharpLegacy": UuidRepresentation.CSHARP_LEGACY,
    }
)
DATETIME_CONVERSION: Final = _named({each.name: each for each in DatetimeConversion})


# RFC 6335, section 5.1, but as long as fits behind the underscore into one part of a DNS name.
_SERVICE = re.compile(r"(?=.*[A-Za-z])(?=.{1,62}\Z)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")


def _check_service_name(value: Any, _remark: Remark) -> Any:
    return value if isinstance(value, str) and _SERVICE.fullmatch(value) else UNUSABLE


SERVICE_NAME: Final = Kind("a service name of letters, digits and hyphens", _check_service_name, _check_service_name)

_LONE_LABELS: Final = frozenset(
    {"test", "localhost", "invalid", "example", "local", "internal", "corp", "home", "mail"}
)
"""Names for private use, which are no registry's: one part is enough there (PyMongo's list)."""


def ascii_domain(name: str) -> str | None:
    """A domain name as DNS has it: in lower case, without dots around it, umlauts as `xn--`; None if it is none."""
    stripped = name.strip(".").lower()
    if not stripped.isascii():
        try:
            stripped = stripped.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    parts = stripped.split(".")
    # Room for `_service._tcp.` is left to the resolver, which refuses what is too long.
    return stripped if len(stripped) <= 253 and all(1 <= len(part) <= 63 for part in parts) else None


def _check_hosts_suffix(value: Any, _remark: Remark) -> Any:
    domain = ascii_domain(value) if isinstance(value, str) else None
    return value if domain is not None and ("." in domain or domain in _LONE_LABELS) else UNUSABLE


HOSTS_SUFFIX: Final = Kind(
    "a domain of two parts or more, such as .example.net", _check_hosts_suffix, _check_hosts_suffix, ascii_domain
)


def _take_listeners(value: Any, remark: Remark) -> Any:
    if not isinstance(value, (list, tuple)):
        return UNUSABLE
    for listener in cast(Iterable[object], value):
        # A class that hears of commands besides would hear of less than it asks for.
        if any(base.__name__ == "CommandListener" for base in type(listener).__mro__):
            remark(f"has a {type(listener).__name__} in it: events of commands are not supported yet", damaged=True)
        if not isinstance(listener, LISTENERS):
            names = ", ".join(kind.__name__ for kind in LISTENERS)
            remark(
                f"has a {type(listener).__name__} in it: expected instances of subclasses of aiomongo_tls's {names}",
                damaged=True,
            )
    return tuple(cast(Iterable[object], value))


EVENT_LISTENERS: Final = object_like("a list of listeners", _take_listeners)
