"""Puts every value where its row says it lands, which makes `ClientOptions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bson.codec_options import CodecOptions

from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.concerns import ReadConcern, WriteConcern
from aiomongo_tls.core.options.monitoring_options import MonitoringOptions
from aiomongo_tls.core.options.pool_options import PoolOptions
from aiomongo_tls.core.options.read_preference import MODES, Primary, ReadPreference
from aiomongo_tls.core.options.srv_options import TXT_OPTIONS, SRVOptions
from aiomongo_tls.core.options.tls_options import TLSOptions
from aiomongo_tls.core.uri.value_kinds import ascii_domain
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from aiomongo_tls.core.options.credential import MongoCredential
    from aiomongo_tls.core.uri.parser import Parts
    from aiomongo_tls.core.uri.settings import Settings

_CLIENT = "client"


def build(parts: Parts, settings: Settings, credential: MongoCredential | None, *, tls: bool) -> ClientOptions:
    """Make the options of a client of settings that were checked.

    Args:
        parts: the hosts and the database.
        settings: the merged options.
        credential: who the client is.
        tls: whether TLS is on, which other options than `tls` may say.

    Raises:
        ConfigurationError: values that are fine alone do not make a read preference or codec options, or the name of
            a mongodb+srv URI is none that DNS could have.
    """
    groups = _landed(settings)
    groups["tls"]["enabled"] = tls
    return ClientOptions(
        seeds=() if parts.is_srv else tuple(dict.fromkeys(parts.hosts)),
        srv=_srv(parts, settings, groups["srv"]) if parts.is_srv else None,
        database=parts.database,
        credential=credential,
        tls=TLSOptions(**groups["tls"]),
        pool=PoolOptions(**groups["pool"]),
        monitoring=MonitoringOptions(**groups["monitoring"]),
        read_preference=_read_preference(**groups["read_preference"]),
        read_concern=ReadConcern(**groups["read_concern"]),
        write_concern=WriteConcern(**groups["write_concern"]),
        codec_options=_codec_options(groups["codec_options"]),
        **groups[_CLIENT],
    )


def _landed(settings: Settings) -> dict[str, dict[str, Any]]:
    names = ("tls", "pool", "monitoring", "srv", "read_preference", "read_concern", "write_concern", "codec_options")
    groups: dict[str, dict[str, Any]] = {name: {} for name in (_CLIENT, "credential", *names)}
    for setting in settings.by_name.values():
        value = setting.option.kind.land(setting.value)
        for target in setting.option.targets:
            path, _, field = target.rpartition(".")
            group = groups[path or _CLIENT]
            # Only switches share a field; what one of them switched on, another does not switch off.
            group[field] = group.get(field) or value
    return groups


def _srv(parts: Parts, settings: Settings, values: dict[str, Any]) -> SRVOptions:
    host = ascii_domain(parts.hosts[0].host)
    if host is None:
        raise ConfigurationError("the host of the mongodb+srv:// URI is no DNS name: a part is empty or too long")
    return SRVOptions(host=host, given=frozenset(name for name in TXT_OPTIONS if name in settings), **values)


def _read_preference(
    *,
    mode: str = "primary",
    tag_sets: list[dict[str, Any]] | None = None,
    max_staleness: int = -1,
    object: ReadPreference | None = None,  # noqa: A002
) -> ReadPreference:
    if object is not None:
        return object
    if MODES[mode] is not Primary:
        return MODES[mode](tag_sets, max_staleness)
    # Server selection specification: tags and staleness choose among secondaries.
    if tag_sets not in (None, [{}]):
        raise ConfigurationError("readPreferenceTags needs a readPreference other than primary")
    if max_staleness != -1:
        raise ConfigurationError("maxStalenessSeconds needs a readPreference other than primary")
    return Primary()


def _codec_options(values: dict[str, Any]) -> CodecOptions[Any]:
    if values.get("tzinfo") is not None and not values.get("tz_aware"):
        raise ConfigurationError("tzinfo needs tz_aware=True")
    try:
        return CodecOptions(**values)
    except (TypeError, ValueError) as exc:
        raise ConfigurationError(f"document_class or another codec option cannot be used: {exc}") from exc
