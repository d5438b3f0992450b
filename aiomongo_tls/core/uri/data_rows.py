"""The rows of the registry about reads, writes, messages and documents."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from bson.codec_options import TypeRegistry

from aiomongo_tls.core.options.driver_info import DriverInfo
from aiomongo_tls.core.options.read_preference import MODES, ReadPreference
from aiomongo_tls.core.uri.kinds import (
    ANY_OBJECT,
    BOOLEAN,
    INT64_MAX,
    TEXT,
    UNUSABLE,
    instance_of,
    integer,
    object_like,
    one_of,
    text,
)
from aiomongo_tls.core.uri.option import Former, Option, Repeat, Support
from aiomongo_tls.core.uri.value_kinds import (
    COMPRESSORS,
    DATETIME_CONVERSION,
    EVENT_LISTENERS,
    TAG_SETS,
    UUID_REPRESENTATION,
    W,
)

_DOCUMENT_CLASS: Final = object_like(
    "a class such as dict", lambda value, _remark: value if callable(value) else UNUSABLE
)


READS_AND_WRITES: Final = (
    Option("readPreference", one_of(MODES), "primary", "read_preference.mode", "Which members to read from."),
    Option(
        "readPreferenceTags",
        TAG_SETS,
        None,
        "read_preference.tag_sets",
        "Tags that the member has to have; may be repeated, the first set that matches counts.",
        repeat=Repeat.LIST,
    ),
    Option(
        "maxStalenessSeconds",
        integer(1, also=-1),
        -1,
        "read_preference.max_staleness",
        "How far a secondary may lag behind; at least 90 where it is used.",
    ),
    Option(
        "read_preference",
        instance_of("a ReadPreference", ReadPreference),
        None,
        "read_preference.object",
        "The read preference as an object, in place of the three options above.",
        excludes=("readPreference", "readPreferenceTags", "maxStalenessSeconds"),
        keyword_only=True,
    ),
    Option("readConcernLevel", TEXT, None, "read_concern.level", "How well confirmed a read has to be."),
    Option("w", W, None, "write_concern.w", "How many members must have a write.", strict=True),
    Option(
        "wTimeoutMS",
        integer(0, INT64_MAX),
        None,
        "write_concern.wtimeout",
        "Milliseconds that the server waits for w. timeoutMS is what you want today.",
        formers=(Former("wtimeout"),),
        strict=True,
    ),
    Option(
        "journal",
        BOOLEAN,
        None,
        "write_concern.j",
        "Whether a write must be in the journal.",
        formers=(Former("j"),),
        strict=True,
    ),
    Option("fsync", BOOLEAN, None, "write_concern.fsync", "An old relative of journal."),
    Option("retryReads", BOOLEAN, True, "retry_reads", "Repeat a failed read once."),
    Option("retryWrites", BOOLEAN, True, "retry_writes", "Repeat a failed write once."),
    Option(
        "maxAdaptiveRetries",
        integer(),
        2,
        "max_adaptive_retries",
        "Retries of what an overloaded server turned away.",
    ),
    Option(
        "enableOverloadRetargeting",
        BOOLEAN,
        False,
        "enable_overload_retargeting",
        "Retry at another server what an overloaded one turned away.",
    ),
)

WIRE: Final = (
    Option(
        "appname",
        text("text of up to 128 bytes", empty=True, longest=128),
        None,
        "app_name",
        "What the server logs for this program.",
    ),
    Option(
        "driver",
        instance_of("a DriverInfo", DriverInfo),
        None,
        "driver",
        "The library that is built on this one.",
        keyword_only=True,
    ),
    Option("compressors", COMPRESSORS, [], "", "Compression of messages.", support=Support.IGNORED),
    Option(
        "zlibCompressionLevel",
        integer(-1, 9),
        -1,
        "zlib_compression_level",
        "The effort of zlib.",
        support=Support.PENDING,
    ),
)

CODEC: Final = (
    Option(
        "document_class",
        _DOCUMENT_CLASS,
        dict,
        "codec_options.document_class",
        "The class of documents.",
        keyword_only=True,
    ),
    Option("tz_aware", BOOLEAN, False, "codec_options.tz_aware", "Whether datetimes know their time zone."),
    Option(
        "tzinfo",
        instance_of("a datetime.tzinfo", tzinfo),
        None,
        "codec_options.tzinfo",
        "The time zone of datetimes; needs tz_aware.",
        keyword_only=True,
    ),
    Option(
        "uuidRepresentation",
        UUID_REPRESENTATION,
        "unspecified",
        "codec_options.uuid_representation",
        "How UUIDs are stored.",
    ),
    Option(
        "datetime_conversion",
        DATETIME_CONVERSION,
        "DATETIME",
        "codec_options.datetime_conversion",
        "What becomes of times that Python's datetime cannot hold.",
    ),
    Option(
        "unicode_decode_error_handler",
        one_of(("strict", "replace", "ignore")),
        "strict",
        "codec_options.unicode_decode_error_handler",
        "What becomes of text that is not UTF-8.",
    ),
    Option(
        "type_registry",
        instance_of("a bson TypeRegistry", TypeRegistry),
        None,
        "codec_options.type_registry",
        "Codecs for types of your own.",
        keyword_only=True,
    ),
)

PYMONGO: Final = (
    Option(
        "connect",
        BOOLEAN,
        False,
        "",
        "PyMongo's word for connecting at once: use AsyncClient.connect(...).",
        keyword_only=True,
        support=Support.REFUSED,
    ),
    Option("server_api", ANY_OBJECT, None, "", "The Stable API.", keyword_only=True, support=Support.REFUSED),
    Option(
        "event_listeners",
        EVENT_LISTENERS,
        None,
        "event_listeners",
        "Who is told what happens in pools, to servers and in TLS handshakes: ConnectionPoolListener, ServerListener, "
        "ServerHeartbeatListener, TopologyListener, TLSHandshakeListener. CommandListener is not here yet.",
        keyword_only=True,
    ),
    Option(
        "auto_encryption_opts",
        ANY_OBJECT,
        None,
        "",
        "Client-side encryption.",
        keyword_only=True,
        support=Support.REFUSED,
    ),
)
