"""Opening a byte stream by itself: names for TLS, sockets that change hands."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
from peers import Contexts, Recorder, mongo_peer, resolver_of
from sweep import descriptors

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.errors import AutoReconnect, ConfigurationError, ServerCertificateError, TLSError
from aiomongo_tls.net.dns import Endpoint, Resolver
from aiomongo_tls.net.transport import open_connection
from aiomongo_tls.net.turns import turns_of
from aiomongo_tls.tls.context import TLSSetup, shared_context


@pytest.fixture(scope="session")
def setup(contexts: Contexts) -> TLSSetup:
    return shared_context(contexts.options(certificate=False))


async def test_the_host_is_the_name_that_is_checked(contexts: Contexts, setup: TLSSetup) -> None:
    """Its certificate is for localhost, 127.0.0.1 and ::1; another name for the same place is refused."""
    async with mongo_peer(contexts.server()) as peer:
        here = Resolver(lambda host, port: [Endpoint(socket.AF_INET, ("127.0.0.1", port))])
        for host in ("localhost", "127.0.0.1"):
            transport = await open_connection(
                ServerAddress(host, peer.port), receiver=Recorder(), setup=setup, resolver=here
            )
            transport.close()
            await transport.wait_closed()
        with pytest.raises(ServerCertificateError) as caught:
            await open_connection(
                ServerAddress("other.example", peer.port), receiver=Recorder(), setup=setup, resolver=here
            )
        assert caught.value.reason == "hostname-mismatch"


class Here(Resolver):
    """Finds everything on this machine, IP addresses and paths too."""

    async def resolve(self, address: ServerAddress) -> list[Endpoint]:
        assert address.port is not None
        return [Endpoint(socket.AF_INET, ("127.0.0.1", address.port))]


@pytest.mark.parametrize(("host", "name"), [("localhost.", "localhost"), ("::1", "::1"), ("::1%lo", "::1")])
async def test_what_belongs_to_dns_or_to_this_machine_is_not_part_of_the_name(
    contexts: Contexts, setup: TLSSetup, host: str, name: str
) -> None:
    """The dot behind a complete name, and an IPv6 zone: no certificate has them, and SNI must not."""
    context = contexts.server()
    asked: list[str | None] = []
    context.sni_callback = lambda ssl_object, server_name, _: asked.append(server_name)
    async with mongo_peer(context) as peer:
        transport = await open_connection(
            ServerAddress(host, peer.port), receiver=Recorder(), setup=setup, resolver=Here()
        )
        assert transport.info is not None
        assert transport.info.server_hostname == name
        # An IP address is no server name (RFC 6066, section 3).
        assert asked == [name if name == "localhost" else None]
        transport.close()
        await transport.wait_closed()


@pytest.mark.parametrize("host", ["other.example.", "::2", "localhost.."])
async def test_without_it_the_name_has_to_fit_all_the_same(contexts: Contexts, setup: TLSSetup, host: str) -> None:
    """The twin: another name is refused, with or without the dot, and two dots make no name."""
    async with mongo_peer(contexts.server()) as peer:
        with pytest.raises((ServerCertificateError, ConfigurationError)) as caught:
            await open_connection(ServerAddress(host, peer.port), receiver=Recorder(), setup=setup, resolver=Here())
        assert getattr(caught.value, "reason", "hostname-mismatch") == "hostname-mismatch"


@pytest.mark.parametrize(("name", "fits"), [(None, True), ("other.example", False)])
async def test_a_unix_domain_socket_speaks_tls_as_localhost(
    contexts: Contexts, setup: TLSSetup, tmp_path: Any, name: str | None, fits: bool
) -> None:
    """A path is in no certificate; the name that stands for it is checked like any other."""
    path = str(tmp_path / "mongodb.sock")
    async with mongo_peer(contexts.server(), path=path):
        opening = open_connection(
            ServerAddress(path, None), receiver=Recorder(), setup=setup, server_hostname=name, resolver=resolver_of()
        )
        if not fits:
            with pytest.raises(ServerCertificateError, match="hostname-mismatch"):
                await opening
            return
        transport = await opening
        assert transport.info is not None
        assert transport.info.server_hostname == "localhost"
        transport.close()
        await transport.wait_closed()


async def test_another_name_can_be_asked_for(contexts: Contexts, setup: TLSSetup) -> None:
    """Through a tunnel the name in the certificate is not the one that is dialled."""
    async with mongo_peer(contexts.server()) as peer:
        transport = await open_connection(
            ServerAddress("tunnel.example", peer.port),
            receiver=Recorder(),
            setup=setup,
            server_hostname="localhost",
            resolver=Resolver(lambda host, port: [Endpoint(socket.AF_INET, ("127.0.0.1", port))]),
        )
        assert transport.info is not None
        assert transport.info.server_hostname == "localhost"
        assert transport.peername == ("127.0.0.1", peer.port)
        transport.close()
        await transport.wait_closed()


async def test_a_host_that_cannot_be_a_name_in_tls_is_refused(setup: TLSSetup) -> None:
    """Before anything is looked up."""
    with pytest.raises(ConfigurationError, match="cannot be a server name"):
        await open_connection(ServerAddress(".example", 1), receiver=Recorder(), setup=setup)


@pytest.mark.parametrize(("tls", "expected"), [(False, AutoReconnect), (True, TLSError)])
async def test_a_loop_that_does_not_take_the_socket_is_an_error_like_any_other(
    contexts: Contexts, setup: TLSSetup, monkeypatch: pytest.MonkeyPatch, tls: bool, expected: type[Exception]
) -> None:
    """The receiver is told, the caller gets the same error, and the socket is closed."""

    async def refuse(*args: Any, **options: Any) -> None:
        raise OSError("no more descriptors can be watched")

    async with mongo_peer(contexts.server() if tls else None) as peer:
        before = descriptors()
        receiver = Recorder()
        loop = asyncio.get_running_loop()

        class Refusing:
            create_connection = staticmethod(refuse)

            def __getattr__(self, name: str) -> Any:
                return getattr(loop, name)

        monkeypatch.setattr("aiomongo_tls.net.transport.asyncio.get_running_loop", Refusing)
        with pytest.raises(expected) as caught:
            await open_connection(peer.address, receiver=receiver, setup=setup if tls else None, resolver=resolver_of())
        monkeypatch.undo()
        assert receiver.ends == [caught.value]
        assert isinstance(caught.value.__cause__, OSError)
        await peer.until(lambda: peer.sessions and not peer.open_sessions)
        assert len(descriptors() - before) <= 1


@pytest.mark.parametrize("when", ["in line", "as its turn has come"])
async def test_whoever_gives_up_in_line_leaves_no_socket(setup: TLSSetup, when: str) -> None:
    """The TLS engine is made in a turn of its own; until then the socket is nobody else's."""
    steps: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
    line = turns_of(asyncio.get_running_loop())
    async with mongo_peer() as peer:
        before = descriptors()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(line, "run", steps.put_nowait)
            receiver = Recorder()
            opening = asyncio.create_task(
                open_connection(peer.address, receiver=receiver, setup=setup, resolver=resolver_of())
            )
            step = await steps.get()
        if when == "as its turn has come":
            step()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        step()
        await peer.until(lambda: peer.sessions and not peer.open_sessions)
        assert len(descriptors() - before) <= 1
        assert not receiver.ends
