"""What is in the files, and whether a client could use it: everything that `--offline` can tell.

The files are read as a client reads them (`tls/material`). Authorities, key with certificate, and revocation lists are
read once more each alone, so that every fault is found and not only the first one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.core.options.tls_source import is_secret
from aiomongo_tls.doctor.certificates import (
    CertificateContents,
    authority_findings,
    client_findings,
    leaf_finding,
    read_contents,
)
from aiomongo_tls.doctor.faults import finding_of
from aiomongo_tls.doctor.findings import OK, Check, Finding, info, warning
from aiomongo_tls.doctor.mounts import MountKind, mount_kind
from aiomongo_tls.errors import ConfigurationError, MongoError
from aiomongo_tls.net.asking import ask_for_identity, with_password
from aiomongo_tls.net.identity import Identity, load_identity
from aiomongo_tls.net.threads import in_thread
from aiomongo_tls.tls import pem
from aiomongo_tls.tls.certificate import PIP
from aiomongo_tls.tls.contents import blocks_in
from aiomongo_tls.tls.key_password import is_async
from aiomongo_tls.tls.material import TLSMaterial, load_material
from aiomongo_tls.tls.sources import CRL_FILE, Named, sources_of

if TYPE_CHECKING:
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.options.tls_options import TLSOptions

_MOUNTS = {
    MountKind.SUB_PATH: (
        "subpath-mount",
        "is mounted by subPath, so that Kubernetes never updates it, and a renewed certificate never arrives",
        "mount the whole secret as a directory, and name the file in that",
    ),
    MountKind.FILE: (
        "file-mount",
        "is mounted by itself, so that a file that takes its place outside is not seen here",
        "mount the directory that it is in, if it is to be renewed",
    ),
}
_EMPTY_CA = (
    "put the certificate of the server's authority into it; cert-manager leaves ca.crt empty where a public authority "
    "issues, and then tlsCAFile is to be left out"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesReport:
    """What came of reading the files.

    Args:
        findings: what there is to say.
        identity: what a client would present itself with; None if it could not.
        own: the client's certificate, if there is one that can be read.
    """

    findings: list[Finding]
    identity: Identity | None = None
    own: CertificateContents | None = None


async def examine_files(
    options: ClientOptions, *, mountinfo: str, limit: float | None, now: Callable[[], datetime]
) -> FilesReport:
    """Read what the options name.

    Args:
        options: the options of the client.
        mountinfo: what /proc/self/mountinfo says, empty where there is none.
        limit: seconds that a provider or a password's function may take for one answer.
        now: the present moment, in UTC.
    """
    tls = options.tls
    if not tls.enabled:
        return FilesReport(findings=[], identity=Identity())
    try:
        if tls.identity is not None and not isinstance(tls.identity, TLSIdentity):
            tls = replace(tls, identity=await ask_for_identity(tls.identity, limit))
        if tls.ssl_context is None:
            password = sources_of(tls).password
            if callable(password) and is_async(password):
                tls = await with_password(tls, limit)
    except MongoError as exc:
        return FilesReport(findings=[finding_of(exc, Check.FILES)])
    reading = _Reading(replace(options, tls=tls), mountinfo, now)
    return await in_thread(reading.report, name="aiomongo_tls doctor reads files")


def read_mounts() -> str:
    """What /proc/self/mountinfo says; empty where there is none."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""


class _Reading:
    """The blocking half: one look at the files of one client."""

    def __init__(self, options: ClientOptions, mountinfo: str, now: Callable[[], datetime]) -> None:
        self._options = options
        self._tls = options.tls
        self._mountinfo = mountinfo
        self._now = now
        self._findings: list[Finding] = []
        self._own: CertificateContents | None = None

    def report(self) -> FilesReport:
        if self._tls.ssl_context is None:
            for part in _parts(self._tls):
                self._look_at(part)
            self._look_at_mounts()
        identity: Identity | None = None
        try:
            identity = load_identity(self._tls)
        except ConfigurationError as exc:
            self._add_once(finding_of(exc, Check.FILES))
        if identity is not None:
            self._findings.insert(0, info(Check.FILES, OK, "TLS can be set up", found=self._shown()))
        return FilesReport(findings=self._findings, identity=identity, own=self._own)

    def _look_at(self, part: TLSOptions) -> None:
        try:
            material = load_material(part)
        except ConfigurationError as exc:
            finding = finding_of(exc, Check.FILES)
            if part.ca_file is not None and finding.reason == "file-empty":
                finding = replace(finding, fix=_EMPTY_CA)
            self._add_once(finding)
            return
        try:
            self._judge(part, material)
        except ConfigurationError:
            self._add_once(
                warning(
                    Check.FILES,
                    "extra-missing",
                    "certificates cannot be looked into: the package cryptography is not installed",
                    fix=PIP,
                )
            )
        except ValueError as exc:
            # OpenSSL takes some certificates that cryptography does not.
            self._add_once(
                warning(Check.FILES, "certificate-unread", "a certificate could not be looked into", found=str(exc))
            )

    def _judge(self, part: TLSOptions, material: TLSMaterial) -> None:
        sources = sources_of(part)
        now = self._now()
        if sources.ca is not None and material.ca is not None:
            authorities = [read_contents(block.der) for block in pem.blocks(material.ca)]
            self._findings += authority_findings(authorities, _where(sources.ca), now=now)
        named = sources.chain or sources.key
        if named is None or material.leaf_der is None:
            return
        self._own = own = read_contents(material.leaf_der)
        credential = self._options.credential
        is_user = credential is not None and credential.mechanism == "MONGODB-X509"
        self._findings += client_findings(
            own, _where(named), now=now, is_user=is_user, database=self._options.database, share=part.expiry_warning
        )
        first = next((block for block in blocks_in(named) if block.label in pem.CERTIFICATE_LABELS), None)
        if first is not None and first.der != material.leaf_der:
            self._findings.append(leaf_finding(read_contents(first.der), _where(named)))

    def _look_at_mounts(self) -> None:
        for named in _named(self._tls):
            if is_secret(named.source) or isinstance(named.source, bytes):
                continue
            kind = mount_kind(os.path.realpath(named.source), self._mountinfo)
            if kind is not None:
                reason, what, fix = _MOUNTS[kind]
                finding = warning if kind is MountKind.SUB_PATH else info
                self._findings.append(finding(Check.FILES, reason, f"{_where(named)} {what}", fix=fix))

    def _shown(self) -> str:
        if self._tls.ssl_context is not None:
            return "by the given ssl_context"
        said = [_where(named) for named in _named(self._tls)]
        return ", ".join(said) or "no files; the trust store above counts"

    def _add_once(self, finding: Finding) -> None:
        if all((finding.reason, finding.title) != (other.reason, other.title) for other in self._findings):
            self._findings.append(finding)


def _parts(tls: TLSOptions) -> list[TLSOptions]:
    """The options in parts that can be read one without the others."""
    bare = replace(
        tls,
        ca_file=None,
        certificate_key_file=None,
        certificate_file=None,
        certificate_key_file_password=None,
        identity=None,
        crl_file=None,
        # Where no file says whom to trust, the system's store would be looked for with each part.
        allow_invalid_certificates=True,
    )
    identity = tls.identity if isinstance(tls.identity, TLSIdentity) else None
    ca = identity.ca if identity is not None and identity.ca is not None else tls.ca_file
    parts = [replace(bare, ca_file=ca)] if ca is not None else []
    if identity is not None:
        parts.append(replace(bare, identity=replace(identity, ca=None)))
    elif tls.certificate_key_file is not None:
        parts.append(
            replace(
                bare,
                certificate_key_file=tls.certificate_key_file,
                certificate_file=tls.certificate_file,
                certificate_key_file_password=tls.certificate_key_file_password,
            )
        )
    if tls.crl_file is not None:
        parts.append(replace(bare, crl_file=tls.crl_file))
    return parts


def _named(tls: TLSOptions) -> list[Named]:
    try:
        sources = sources_of(tls)
    except ConfigurationError:
        # Told when they are read.
        return []
    crl = Named(CRL_FILE, tls.crl_file) if tls.crl_file is not None else None
    return [named for named in (sources.ca, sources.chain, sources.key, crl) if named is not None]


def _where(named: Named) -> str:
    return f"{named.option} ({named})"
