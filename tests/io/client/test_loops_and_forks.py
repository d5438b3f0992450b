"""A client on another event loop, in another process, under trio."""

from __future__ import annotations

import asyncio
import gc
import os
import warnings
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trio

from aiomongo_tls import AsyncClient, InvalidOperation, timeout
from aiomongo_tls.testing import MongoTestServer

Client = AsyncClient[dict[str, Any]]


def lsids(server: MongoTestServer, name: str = "ping") -> list[bytes]:
    return [bytes(command.document["lsid"]["id"]) for command in server.commands_named(name)]


def test_a_closed_loop_is_left_behind() -> None:
    """The next one begins afresh, cursors included; closing is in order there."""
    with MongoTestServer(tls="off") as server, warnings.catch_warnings():
        # asyncio complains of the transports that the closed loop left open, as it does for everybody.
        warnings.simplefilter("ignore", ResourceWarning)
        client = Client(server.uri())
        cursors: list[Any] = []

        async def begin() -> None:
            await client.app.users.insert_many([{"_id": number} for number in range(5)])
            cursors.append(client.app.users.find(batch_size=2))
            await cursors[0].next()

        async def go_on() -> None:
            assert len(await cursors[0].to_list()) == 4
            cursors.append(client.app.users.find(batch_size=2))
            await cursors[1].next()

        async def end() -> None:
            cursors.clear()
            gc.collect()
            await client.ping()
            await asyncio.to_thread(server.wait_for, "killCursors")
            await client.close()

        for step in (begin, go_on, end):
            asyncio.run(step())
            gc.collect()
        with pytest.raises(InvalidOperation, match="closed"):
            asyncio.run(client.ping())


def test_a_close_that_its_loop_did_not_finish() -> None:
    """Another loop finishes it; nothing hangs."""
    with MongoTestServer(tls="off") as server, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        server.on("endSessions").stays_silent()
        client = Client(server.uri())

        async def begin() -> None:
            await client.ping()
            asyncio.ensure_future(client.close())  # noqa: RUF006
            await asyncio.to_thread(server.wait_for, "endSessions")

        async def finish() -> None:
            async with asyncio.timeout(2):
                await client.close()

        asyncio.run(begin())
        gc.collect()
        asyncio.run(finish())


def test_aborting_on_another_loop_changes_nothing() -> None:
    """The client goes on where it is at home."""

    async def abort() -> None:
        with pytest.raises(InvalidOperation, match="another event loop"):
            client.abort()

    with MongoTestServer(tls="off") as server, asyncio.Runner() as home:
        client = Client(server.uri())
        home.run(client.ping())
        with ThreadPoolExecutor() as elsewhere:
            elsewhere.submit(asyncio.run, abort()).result()
        home.run(client.ping())
        home.run(client.close())


async def in_a_block(client: Client) -> None:
    with timeout(1):
        await client.ping()


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.ping(),
        lambda client: client.aconnect(),
        lambda client: client.app.users.find().to_list(),
        lambda client: client.close(),
        in_a_block,
    ],
    ids=["ping", "connect", "find", "close", "timeout"],
)
def test_under_trio_the_error_says_so(use: Callable[[Client], Awaitable[Any]]) -> None:
    """Nothing hangs and nothing is opened."""
    client = Client("nowhere.invalid", timeoutMS=1000)

    async def main() -> None:
        with pytest.raises(InvalidOperation, match="trio"):
            await use(client)

    trio.run(main)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_process_shares_no_session_and_no_cursor() -> None:
    """It begins afresh; the parent's sessions and cursors are the parent's, and its connections go on."""
    with MongoTestServer(tls="off") as server, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = Client(server.uri())
        unopened = client.app.users.find()

        async def in_the_child(cursor: Any) -> None:
            async with asyncio.timeout(10):
                await client.ping()
                # What it has read before the fork is here, too; the rest is the parent's.
                assert len(await cursor.to_list(1)) == 1
                with pytest.raises(InvalidOperation, match="parent process"):
                    await cursor.to_list()
                await cursor.close()
                assert len(await unopened.to_list()) == 5
                await client.close()

        async def in_the_parent() -> None:
            await client.app.users.insert_many([{"_id": number} for number in range(5)])
            await client.ping()
            cursor = client.app.users.find(batch_size=2)
            await cursor.next()
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    asyncio.run(in_the_child(cursor))
                    del cursor
                    gc.collect()
                    status = 0
                finally:
                    os._exit(status)
            _, code = await asyncio.to_thread(os.waitpid, child, 0)
            assert os.waitstatus_to_exitcode(code) == 0
            assert len(await cursor.to_list()) == 4
            await client.ping()
            await client.close()

        asyncio.run(in_the_parent())
        parent, child, again = lsids(server)
        assert parent == again != child
        assert not server.commands_named("killCursors")
