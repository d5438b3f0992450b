"""A client that is used on another event loop, in another process, under trio, or first by many at once."""

from __future__ import annotations

import asyncio
import gc
import os
import warnings
from collections.abc import Sequence

import pytest
import trio
from peers import MongoPeer, mongo_peer, resolver_of

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.srv_options import SRVOptions
from aiomongo_tls.core.uri.srv import SRVRecords
from aiomongo_tls.deadline import Deadline
from aiomongo_tls.errors import ConnectionFailure, InvalidOperation, Phase, ServerSelectionTimeoutError
from aiomongo_tls.topology.topology import Topology


def topology_of(*seeds: ServerAddress) -> Topology:
    return Topology(ClientOptions(seeds=seeds, server_selection_timeout=5.0), resolver=resolver_of())


async def use(topology: Topology) -> None:
    topology.check_in(await topology.check_out())


async def serve_and_use(topology: Topology, peer: MongoPeer) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(peer.accept, "127.0.0.1", peer.port)
    await use(topology)
    server.close()


def test_a_closed_loop_is_left_behind(unused_tcp_port: int) -> None:
    """A client made for one `asyncio.run()` works in the next one; only the first loop's sockets are gone with it."""
    peer = MongoPeer()
    peer.port = unused_tcp_port
    topology = topology_of(ServerAddress("localhost", unused_tcp_port))
    # asyncio complains of the transports that a closed loop has left open, as it does for everybody.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(3):
            with asyncio.Runner() as runner:
                runner.run(serve_and_use(topology, peer))
        assert [server.error for server in topology.description.servers.values()] == [None]
        asyncio.run(topology.close())
        del peer, runner
        gc.collect()


def test_an_open_loop_keeps_its_client() -> None:
    """On a second loop the client says where it lives and where it was used, and is not disturbed by it."""

    async def elsewhere(topology: Topology) -> None:
        with pytest.raises(InvalidOperation, match="another event loop") as caught:
            topology.try_check_out()
        assert repr(home) in str(caught.value)
        assert repr(asyncio.get_running_loop()) in str(caught.value)
        with pytest.raises(InvalidOperation, match="another event loop"):
            await topology.close()

    async def at_home() -> Topology:
        async with mongo_peer() as peer:
            topology = topology_of(peer.address)
            await use(topology)
            await asyncio.to_thread(asyncio.run, elsewhere(topology))
            await use(topology)
            await topology.close()
        return topology

    with asyncio.Runner() as runner:
        home = runner.get_loop()
        runner.run(at_home())


def test_trio_is_told() -> None:
    """Under trio nothing hangs: the error says what this is and what to do."""
    topology = topology_of(ServerAddress("localhost", 1))

    async def main() -> None:
        with pytest.raises(InvalidOperation, match="runs on asyncio, and this is trio"):
            await topology.check_out()

    trio.run(main)


def test_no_loop_is_told() -> None:
    """Nor outside of any loop."""
    with pytest.raises(InvalidOperation, match="no asyncio event loop is running"):
        topology_of(ServerAddress("localhost", 1)).try_check_out()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_process_begins_afresh(unused_tcp_port: int) -> None:
    """After a fork the child opens connections of its own, and the parent's go on."""
    peer = MongoPeer()
    peer.port = unused_tcp_port
    topology = topology_of(ServerAddress("localhost", unused_tcp_port))

    def child() -> int:
        async def main() -> None:
            async with asyncio.timeout(10):
                await use(topology)
                await topology.close()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asyncio.run(main())
        return 0

    async def parent() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(peer.accept, "127.0.0.1", peer.port)
        connection = await topology.check_out()
        topology.check_in(connection)
        before = len(peer.sessions)
        with warnings.catch_warnings():
            # Python 3.12 warns of forks beside threads.
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
        if process == 0:
            # The child leaves by this door only: nothing of the test may go on in it.
            status = 1
            try:
                import threading

                done: list[int] = []
                # A thread has no running loop to be mistaken for the parent's.
                thread = threading.Thread(target=lambda: done.append(child()))
                thread.start()
                thread.join()
                status = done[0]
            finally:
                os._exit(status)
        _, status = await asyncio.to_thread(os.waitpid, process, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert len(peer.sessions) > before
        assert topology.try_check_out() is connection
        topology.check_in(connection)
        assert connection.is_usable
        server.close()
        await topology.close()

    asyncio.run(parent())


class Records:
    """Answers SRV questions when the test says so, and counts them."""

    def __init__(self, *targets: ServerAddress) -> None:
        self.targets = targets
        self.questions: list[str] = []
        self.faults: list[Exception] = []
        self.may_answer = asyncio.Event()

    async def srv(self, name: str, deadline: Deadline) -> SRVRecords:
        self.questions.append(name)
        await self.may_answer.wait()
        if self.faults:
            raise self.faults.pop(0)
        return SRVRecords(targets=self.targets, ttl=60.0)

    async def txt(self, name: str, deadline: Deadline) -> Sequence[Sequence[bytes]]:
        return ()


def srv_topology(records: Records) -> Topology:
    options = ClientOptions(
        seeds=(),
        srv=SRVOptions(host="cluster.example.net", host_validator=lambda host: True),
        server_selection_timeout=5.0,
    )
    return Topology(options, resolver=resolver_of(), srv_resolver=records)


async def test_many_first_operations_begin_once() -> None:
    """A hundred first operations on a fresh SRV client: one look-up, one topology, one monitor."""
    async with mongo_peer() as peer:
        records = Records(peer.address)
        topology = srv_topology(records)
        tasks = [asyncio.create_task(use(topology)) for _ in range(100)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        records.may_answer.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results if result is not None] == [asyncio.CancelledError]
        assert records.questions == ["_mongodb._tcp.cluster.example.net"]
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert len([name for name in names if name.startswith("aiomongo_tls monitor")]) == 1
        assert topology.options.seeds == (peer.address,)
        await topology.close()
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert not [name for name in names if name.startswith("aiomongo_tls")]
        await peer.until(lambda: not peer.open_sessions)


async def test_dns_that_fails_for_a_moment_is_waited_out() -> None:
    """A look-up that nobody answered is repeated; a name that does not exist would be an error at once."""
    async with mongo_peer() as peer:
        records = Records(peer.address)
        records.may_answer.set()
        records.faults = [ConnectionFailure("nobody answered", phase=Phase.DNS)]
        topology = srv_topology(records)
        await use(topology)
        assert len(records.questions) == 2
        await topology.close()


async def test_closing_ends_a_look_up() -> None:
    """Whoever waited for it learns that the client is closed."""
    records = Records()
    topology = srv_topology(records)
    waiting = asyncio.create_task(use(topology))
    while not records.questions:  # noqa: ASYNC110 - there is no event for what goes on inside
        await asyncio.sleep(0)
    await topology.close()
    with pytest.raises(InvalidOperation, match="closed"):
        await waiting


async def test_a_look_up_that_hangs_is_told() -> None:
    """The operation's deadline names the step."""
    topology = srv_topology(Records())
    deadline = Deadline.after(0.05, "timeoutMS=50", now=asyncio.get_running_loop().time())
    with pytest.raises((ConnectionFailure, ServerSelectionTimeoutError)) as caught:
        await topology.check_out(deadline)
    assert "timeoutMS=50 has passed while looking up the SRV records of cluster.example.net" in str(caught.value)
    await topology.close()
