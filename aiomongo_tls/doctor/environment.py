"""What this machine brings along: Python, its OpenSSL, its authorities, the extras that are installed."""

from __future__ import annotations

import platform
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

import certifi

from aiomongo_tls.doctor.findings import Check, Finding, error, info, warning
from aiomongo_tls.tls.trust import SystemStore

# Each extra, the module that it brings, and the name of its distribution.
_EXTRAS = (
    ("x509", "cryptography", "cryptography"),
    ("testing", "trustme", "trustme"),
    ("speed", "uvloop", "uvloop"),
    ("snappy", "snappy", "python-snappy"),
    ("zstd", "backports.zstd", "backports.zstd"),
    ("aws", "botocore", "botocore"),
    ("gssapi", "kerberos", "pykerberos"),
    ("otel", "opentelemetry", "opentelemetry-api"),
)
_VERSIONS = {"TLS 1.2": ssl.HAS_TLSv1_2, "TLS 1.3": ssl.HAS_TLSv1_3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Facts about this machine and interpreter.

    Args:
        python: Python's version and implementation.
        openssl: the version of the OpenSSL that this Python uses.
        has_sni: whether it can tell a server which host name is meant.
        tls_versions: the versions of TLS from 1.2 on that it speaks.
        security_level: OpenSSL's, which rules out short keys and old signatures; None where it cannot be told.
        store: where the operating system's authorities are; empty if it has none.
        authorities: how many there are, in the system's store or in certifi's list.
        store_variables: environment variables that say where the store is, with their values.
        is_dangling: whether these lead to no certificate at all.
        extras: the version of what each extra brings, by the name of the extra; None if it is not installed.
    """

    python: str
    openssl: str
    has_sni: bool
    tls_versions: tuple[str, ...]
    security_level: int | None
    store: str
    authorities: int
    store_variables: tuple[str, ...]
    is_dangling: bool
    extras: Mapping[str, str | None]


def look_around(environ: Mapping[str, str]) -> Environment:
    """Gather the facts. Blocks for some ten milliseconds: call it in a thread.

    Args:
        environ: the environment, for `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    store = SystemStore.find(environ)
    where, authorities = _store(store, context)
    return Environment(
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        openssl=ssl.OPENSSL_VERSION,
        has_sni=ssl.HAS_SNI,
        tls_versions=tuple(name for name, is_there in _VERSIONS.items() if is_there),
        security_level=getattr(context, "security_level", None),
        store=where,
        authorities=authorities,
        store_variables=store.variables,
        is_dangling=store.is_dangling,
        extras={extra: _version(module, distribution) for extra, module, distribution in _EXTRAS},
    )


def _store(store: SystemStore, context: ssl.SSLContext) -> tuple[str, int]:
    if store.is_empty:
        return "", certifi.contents().count("-----BEGIN CERTIFICATE-----")
    context.load_default_certs()
    in_file = context.cert_store_stats()["x509_ca"]
    if in_file:
        return str(store.file), in_file
    # OpenSSL reads these one by one, when it needs them.
    return ", ".join(map(str, store.directories)), len(store.hashed_files())


def _version(module: str, distribution: str) -> str | None:
    try:
        if find_spec(module) is None:
            return None
        return metadata.version(distribution)
    except (ImportError, ValueError):
        return None


def environment_findings(environment: Environment) -> list[Finding]:
    """Judge the facts.

    Args:
        environment: what `look_around()` has gathered.
    """
    here = Check.ENVIRONMENT
    level = "" if environment.security_level is None else f", security level {environment.security_level}"
    versions = ", ".join(environment.tls_versions)
    findings = [
        info(here, "python", "Python", found=environment.python),
        info(here, "openssl", "OpenSSL", found=f"{environment.openssl}{level}"),
    ]
    if environment.tls_versions:
        findings.append(info(here, "tls-versions", "TLS versions", found=versions))
    else:
        findings.append(
            error(
                here,
                "protocol-version",
                "this Python's OpenSSL speaks neither TLS 1.2 nor TLS 1.3",
                fix="use a Python with a newer OpenSSL",
            )
        )
    if environment.has_sni:
        findings.append(info(here, "sni", "SNI", found="yes"))
    else:
        findings.append(
            error(
                here,
                "no-sni",
                "this Python cannot tell a server which host name is meant (SNI), which MongoDB Atlas demands",
                fix="use a Python that was built with SNI",
            )
        )
    return [*findings, _of_store(environment), _of_extras(environment)]


def _of_store(environment: Environment) -> Finding:
    here, reason = Check.ENVIRONMENT, "trust-store"
    if environment.is_dangling:
        return warning(
            here,
            "trust-store-empty",
            "there is no certificate to trust where environment variables say it is",
            found=", ".join(environment.store_variables),
            fix="correct or unset the variable, or set tlsCAFile",
        )
    if not environment.store:
        return info(
            here, reason, "trust store", found=f"none in this system; certifi's {environment.authorities} authorities"
        )
    said = f" (by {', '.join(environment.store_variables)})" if environment.store_variables else ""
    return info(
        here, reason, "trust store", found=f"{environment.authorities} authorities in {environment.store}{said}"
    )


def _of_extras(environment: Environment) -> Finding:
    there = [f"{extra} ({version})" for extra, version in environment.extras.items() if version is not None]
    missing = [extra for extra, version in environment.extras.items() if version is None]
    found = ", ".join(there) or "none"
    if missing:
        found += f"; not installed: {', '.join(missing)}"
    return info(Check.ENVIRONMENT, "extras", "extras", found=found)
