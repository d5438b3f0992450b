"""From what a caller gave - a URI or hosts, and keywords - to `ClientOptions`, or a refusal, without any I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from aiomongo_tls.address import DEFAULT_PORT
from aiomongo_tls.core.uri.build import build
from aiomongo_tls.core.uri.conflicts import Facts, check_conflicts
from aiomongo_tls.core.uri.hosts import parse_address
from aiomongo_tls.core.uri.identity import with_identity
from aiomongo_tls.core.uri.keywords import read_keywords
from aiomongo_tls.core.uri.mechanisms import build_credential
from aiomongo_tls.core.uri.notices import Notices
from aiomongo_tls.core.uri.parser import Parts, is_uri, split_uri
from aiomongo_tls.core.uri.refusals import (
    is_tls,
    refuse_damaged,
    refuse_downgrades,
    refuse_mechanism,
    refuse_not_here,
)
from aiomongo_tls.core.uri.settings import Settings
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from aiomongo_tls.core.options.client_options import ClientOptions


def resolve(
    host: str | Sequence[str] | None, options: Mapping[str, Any], identities: Sequence[Mapping[str, Any]] = ()
) -> ClientOptions:
    """Make the options of a client.

    Keywords win over the URI, and the specifications' conflict rules apply to the merged result. What would silently
    give less than was asked for is refused, as is what is not here yet.

    Args:
        host: a URI, the name or address of a host, or a list of these; None for localhost.
        options: keywords in any case, see `ConnectOptions`; also `port`, for a host that names none.
        identities: identities that take the place of the one before, one after the other, see `IdentityOptions`.

    Raises:
        ConfigurationError: the options cannot be used; the message names the option and the mend. InvalidURI where
            the URI's syntax is broken.
    """
    notices = Notices()
    keywords = read_keywords(options, notices)
    parts = _read_hosts(host, keywords.value("port", DEFAULT_PORT), notices)
    settings = _merge(parts.settings, keywords).settled()
    # What there is to say of the options before was said when the client before was made.
    new = notices
    for identity in identities:
        new = Notices()
        parts, settings = with_identity(parts, settings, identity, new)
    check_conflicts(Facts(settings.values(), len(parts.hosts), parts.is_srv))
    credential = build_credential(
        mechanism=settings.value("authMechanism"),
        username=settings.value("username", parts.username),
        password=settings.value("password", parts.password),
        auth_source=settings.value("authSource"),
        database=parts.database,
        properties=settings.value("authMechanismProperties", {}),
    )
    refuse_damaged(parts.settings, keywords)
    refuse_not_here(settings, notices)
    refuse_mechanism(credential)
    tls = is_tls(settings, is_srv=parts.is_srv)
    refuse_downgrades(settings, credential, tls=tls)
    resolved = build(parts, settings, credential, tls=tls)
    new.emit()
    return resolved


def _read_hosts(host: object, port: int, notices: Notices) -> Parts:
    entries = _entries(host)
    if not any(is_uri(entry) for entry in entries):
        return Parts(hosts=tuple(parse_address(part, port) for entry in entries for part in entry.split(",")))
    if len(entries) > 1:
        raise ConfigurationError("host is a list with a URI in it; put all the hosts into one URI")
    return split_uri(entries[0], notices, port)


def _entries(host: Any) -> list[str]:
    found = type(host).__name__
    entries: list[Any] = ["localhost"] if host is None else [host]
    if isinstance(host, (list, tuple)):
        entries = list(cast(Sequence[Any], host))
    if not entries or not all(isinstance(entry, str) for entry in entries):
        raise ConfigurationError(f"host: expected a URI, a host name or a list of these, found a {found} that is none")
    return entries


def _merge(uri: Settings, keywords: Settings) -> Settings:
    if "tls" in uri and "tls" in keywords and uri.value("tls") != keywords.value("tls"):
        raise ConfigurationError("tls in the URI and tls as a keyword disagree; leave one of them out")
    merged = {**uri.by_name, **keywords.by_name}
    if "read_preference" in keywords:
        # The object replaces all that the URI says of the read preference.
        for name in ("readPreference", "readPreferenceTags", "maxStalenessSeconds"):
            if name not in keywords:
                merged.pop(name, None)
    return Settings(merged)
