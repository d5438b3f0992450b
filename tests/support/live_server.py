"""Which real server the suite in tests/interop/live runs against, and what the suite may ask of it.

`AIOMONGO_TLS_TEST_SERVER` names one to start (`LAUNCHERS`), else `AIOMONGO_TLS_TEST_URI` is one that somebody else
runs. A launcher is a module `live_<name>` with `start() -> LiveServer`; the session's one server comes from there,
further ones (a replica set, one with users) from its `another()`. What a server cannot be or do it says by
`Unsupported`, in the words of its own refusal where it has some: that is the reason with which a test is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import NoReturn, Protocol, runtime_checkable
from urllib.parse import quote, unquote

from aiomongo_tls.testing import Certificate, CertKit

SERVER_VARIABLE = "AIOMONGO_TLS_TEST_SERVER"
URI_VARIABLE = "AIOMONGO_TLS_TEST_URI"
LAUNCHERS: Mapping[str, str] = {"ferretdb": "live_ferretdb", "javaserver": "live_javaserver"}
NOT_RUN = f"live suite: NOT RUN (no live server: nox -s ferretdb, nox -s javaserver, or {URI_VARIABLE})"


class Unsupported(Exception):
    """The server cannot be or do that; the text is its own refusal, or what it lacks."""


class ToolchainMissing(Exception):
    """What the server is built or run with is not on this machine."""


@runtime_checkable
class LiveServer(Protocol):
    """A server that nobody here wrote.

    Attributes:
        name: product and version as its launcher knows them; the summary of a run also has its buildInfo.
        kit: the authority of its certificate, and of those that it accepts; None for a given URI.
        demands_client_certificate: it accepts nobody without one.
        can_restart: `kill()`, `restart()` and `another()` exist here.
        is_durable: what it has acknowledged is there after `kill()` and `restart()`.
    """

    name: str
    kit: CertKit | None
    demands_client_certificate: bool
    can_restart: bool
    is_durable: bool

    def uri(self, **options: object) -> str:
        """A URI with TLS, and with a client certificate where one is demanded.

        Args:
            **options: further URI options, which win over those that would be there; None leaves one out.
        """
        ...

    def plain_uri(self, **options: object) -> str:
        """A URI of the same server, same data, without TLS.

        Raises:
            Unsupported: it does not listen without TLS.
        """
        ...

    def another(
        self,
        *,
        replica_set: str | None = None,
        user: tuple[str, str] | None = None,
        certificate: Certificate | None = None,
        demands_client_certificate: bool | None = None,
    ) -> LiveServer:
        """One more server of the same kind, with the same kit, for a test of its own; the caller closes it.

        Args:
            replica_set: it is the only member of this replica set, and its primary.
            user: name and password of a user in the database `admin`, without whom it does nothing.
            certificate: its own, instead of one of the kit for `localhost` and `127.0.0.1`.
            demands_client_certificate: whether it does; as this one if None.

        Raises:
            Unsupported: it cannot be that.
        """
        ...

    def kill(self) -> None:
        """End it at once, by SIGKILL."""
        ...

    def restart(self) -> None:
        """Start it again after `kill()`, with the same ports and data; returns when it answers."""
        ...

    def close(self) -> None:
        """End it and remove what it wrote. May be called twice."""
        ...


class GivenServer:
    """A server that somebody else runs: a mongod, a replica set, Atlas, by its URI.

    Args:
        uri: all that is needed to log in.
    """

    def __init__(self, uri: str) -> None:
        self.name = "the server of " + URI_VARIABLE
        self.kit: CertKit | None = None
        self.demands_client_certificate = False
        self.can_restart = False
        self.is_durable = True
        self._uri = uri

    def uri(self, **options: object) -> str:
        """The given one, with further options."""
        address, _, query = self._uri.partition("?")
        given: dict[str, object] = {}
        for pair in filter(None, query.split("&")):
            name, _, value = pair.partition("=")
            given[name] = unquote(value)
        replaced = {name.lower() for name in options}
        kept = {name: value for name, value in given.items() if name.lower() not in replaced}
        if "/" not in address.partition("://")[2]:
            address += "/"
        return with_options(address, kept | options)

    def plain_uri(self, **options: object) -> str:
        """Whether it listens without TLS is not known."""
        self._refuse("without TLS")

    def another(self, **kind: object) -> LiveServer:
        """There is only this one."""
        self._refuse("as another server")

    def kill(self) -> None:
        """It is not ours to kill."""
        self._refuse("for killing")

    def restart(self) -> None:
        """It is not ours to start."""
        self._refuse("for restarting")

    def close(self) -> None:
        """It goes on."""

    def _refuse(self, what: str) -> NoReturn:
        raise Unsupported(f"a given URI is not there {what}")


def with_options(address: str, options: Mapping[str, object]) -> str:
    """A URI with options, percent-encoded where they need it.

    Args:
        address: everything before the question mark.
        options: what follows it; None leaves an option out, booleans are spelled as URIs do.
    """
    pairs = [
        f"{name}={quote(str(value).lower() if isinstance(value, bool) else str(value), safe='')}"
        for name, value in options.items()
        if value is not None
    ]
    return f"{address}?{'&'.join(pairs)}" if pairs else address


def is_chosen() -> bool:
    """Whether the environment names a live server."""
    return bool(os.environ.get(SERVER_VARIABLE) or os.environ.get(URI_VARIABLE))


def start() -> LiveServer:
    """The server that the environment names, started if it is one of ours to start.

    Raises:
        ToolchainMissing: it cannot be started on this machine.
        LookupError: there is no such launcher, or none is named.
    """
    if name := os.environ.get(SERVER_VARIABLE):
        if name not in LAUNCHERS:
            raise LookupError(f"{SERVER_VARIABLE}={name}: known are {', '.join(LAUNCHERS)}")
        server: LiveServer = import_module(LAUNCHERS[name]).start()
        return server
    if uri := os.environ.get(URI_VARIABLE):
        return GivenServer(uri)
    raise LookupError(NOT_RUN)
