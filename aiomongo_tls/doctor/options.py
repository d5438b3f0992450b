"""What the URI and the options say: whether they agree, which names are old, what is given up by them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.doctor.faults import finding_of
from aiomongo_tls.doctor.findings import OK, Check, Finding, info, warning
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.client_options import ClientOptions

T = TypeVar("T")


def read_options(
    host: str | Sequence[str] | None, options: Mapping[str, Any]
) -> tuple[ClientOptions | None, list[Finding]]:
    """Read a URI and options as a client does.

    Args:
        host: a URI, the name of a host, or a list of these.
        options: keywords.

    Returns:
        The options, None if they cannot be used, and what there is to say.
    """
    findings: list[Finding] = []
    try:
        read = noting(lambda: resolve(host, options), Check.URI, findings)
    except ConfigurationError as exc:
        return None, [*findings, finding_of(exc, Check.URI)]
    return read, [info(Check.URI, OK, "the options can be used", found=_shown(read)), *findings, *_given_up(read)]


def noting(call: Callable[[], T], check: Check, findings: list[Finding]) -> T:
    """Call a function, and make findings of what it warns of.

    Args:
        call: the function. It must not wait for anything: Python collects warnings for the whole process.
        check: the check that the findings belong to.
        findings: takes them.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            return call()
        finally:
            findings += [_of_warning(each, check) for each in caught]


def _of_warning(caught: warnings.WarningMessage, check: Check) -> Finding:
    title, _, fix = str(caught.message).partition("; ")
    is_old = issubclass(caught.category, DeprecationWarning)
    return warning(check, "deprecated-option" if is_old else "doubtful-option", title, fix=fix or None)


def _shown(options: ClientOptions) -> str:
    parts = [options.origin, "TLS" if options.tls.enabled else "no TLS"]
    credential = options.credential
    if credential is None:
        parts.append("no user")
    elif credential.username is None:
        parts.append(str(credential.mechanism))
    else:
        mechanism = credential.mechanism or "SCRAM"
        parts.append(f"{mechanism} as {credential.username!r} of {credential.source!r}")
    if options.replica_set is not None:
        parts.append(f"replica set {options.replica_set!r}")
    return "; ".join(parts)


def _given_up(options: ClientOptions) -> list[Finding]:
    """What the options do without that a client had better have."""
    tls = options.tls
    if not tls.enabled:
        away = [seed for seed in options.seeds if not _is_here(seed)]
        if not away and options.srv is None:
            return []
        return [
            warning(
                Check.URI,
                "no-tls",
                "without TLS everybody on the way can read and change what is sent",
                found=f"no TLS to {', '.join(map(str, away)) or options.origin}",
                fix="add tls=true",
            )
        ]
    if tls.allow_invalid_certificates:
        return [
            warning(
                Check.URI,
                "verification-off",
                "the server's certificate is not verified, so that anybody can pass for the server",
                found="tlsInsecure or tlsAllowInvalidCertificates",
                fix="leave it out, and set tlsCAFile to the certificate of the server's authority",
            )
        ]
    if tls.allow_invalid_hostnames:
        return [
            warning(
                Check.URI,
                "hostname-check-off",
                "whoever has any certificate of a trusted authority can pass for the server",
                found="tlsAllowInvalidHostnames",
                fix="leave it out; where a tunnel is in between, tlsServerNames says the server's own name",
            )
        ]
    return []


def _is_here(address: ServerAddress) -> bool:
    return address.is_unix_socket or address.host in ("localhost", "::1") or address.host.startswith("127.")
