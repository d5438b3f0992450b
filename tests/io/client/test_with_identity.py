"""Clients that share a topology: from the first use to the end, in any order."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
import warnings
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
from sweep import descriptors

from aiomongo_tls import (
    AsyncClient,
    AuthenticationFailed,
    ConfigurationError,
    InvalidOperation,
    MongoError,
    PoolClosedError,
)
from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer, ReplicaSet

Client = AsyncClient[dict[str, Any]]
NAMES = ("ada", "bob", "eve", "fay")


@pytest.fixture(scope="module")
def kit() -> CertKit:
    return CertKit()


@pytest.fixture(scope="module")
def people(kit: CertKit) -> dict[str, Certificate]:
    return {name: kit.client(subject=f"CN={name}") for name in NAMES}


@pytest.fixture
def server(kit: CertKit, people: dict[str, Certificate]) -> Iterator[MongoTestServer]:
    with MongoTestServer(ca=kit, users=people.values()) as made:
        yield made


@pytest.fixture(autouse=True)
async def nothing_left(server: MongoTestServer) -> AsyncIterator[None]:
    """After each test: no task, no socket, and no connection at the server."""
    sockets = descriptors()
    yield
    await asyncio.sleep(0)
    assert our_tasks() == []
    # The embedded server runs in this process, too, and notices the end of a connection a moment later.
    await until(lambda: not descriptors() - sockets and not server.connections)


def our_tasks() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def until(condition: Callable[[], object]) -> None:
    """Wait for what another thread does."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


class Family:
    """A client, and others on its topology."""

    def __init__(self, server: MongoTestServer, people: dict[str, Certificate], **options: Any) -> None:
        self.people = people
        self.server = server
        self.first: Client = AsyncClient(server.uri(client=people["ada"]), **options)
        self.made: list[Client] = [self.first]

    def child(self, name: str, of: Client | None = None) -> Client:
        made = (of or self.first).with_identity(tlsCertificateKeyFile=self.people[name].path)
        self.made.append(made)
        return made

    def connections(self, *names: str | None) -> int:
        """How many the server has of these users; of nobody for None."""
        users = {None if name is None else f"CN={name}" for name in names}
        return sum(connection.user in users for connection in self.server.connections)

    def handshakes(self, name: str) -> int:
        """How often somebody logged in."""
        return len({command.connection_id for command in self.server.commands if command.user == f"CN={name}"})


@pytest.fixture
def family(server: MongoTestServer, people: dict[str, Certificate]) -> Family:
    return Family(server, people)


# Before the first use


def test_made_without_a_loop(family: Family) -> None:
    """`with_identity()` is no I/O, and checks its options."""
    family.child("bob")
    with pytest.raises(ConfigurationError, match="maxPoolSize cannot be changed by with_identity"):
        family.first.with_identity(maxPoolSize=1)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="unknown option"):
        family.first.with_identity(tlsCertificateKeyFiel="x")  # type: ignore[call-arg]
    assert not family.server.commands


async def test_nobody_was_ever_connected(family: Family) -> None:
    """They are closed without a word, in any order."""
    for client in (family.child("bob"), family.first, family.child("eve")):
        await client.close()
        with pytest.raises(InvalidOperation, match="closed"):
            await client.ping()
        with pytest.raises(InvalidOperation, match="closed"):
            client.with_identity()
    assert not family.server.commands


async def test_a_child_is_the_first_to_be_used(family: Family) -> None:
    """A hundred operations at once, and its parent's afterwards: one beginning."""
    bob = family.child("bob")
    tasks = [asyncio.create_task(bob.ping()) for _ in range(100)]
    await asyncio.gather(*tasks)
    assert family.first.topology_description == bob.topology_description
    assert family.first.pool_status()[family.server.address].total == 0
    assert family.connections("ada") == 0
    assert family.first.tls_status().subject == "CN=ada"
    await family.first.ping()
    for client in family.made:
        await client.close()


async def test_all_begin_at_once(family: Family) -> None:
    """Each is connected when its own files are read; the servers are watched once."""
    children = [family.child(name) for name in NAMES[1:]]
    await asyncio.gather(*(client.ping() for client in (*children, family.first) for _ in range(10)))
    watching = [name for name in our_tasks() if "onitor" in name]
    assert sorted(watching) == [f"aiomongo_tls {what} {family.server.address}" for what in ("RTT monitor", "monitor")]
    for client in family.made:
        await client.close()


async def test_files_of_a_child_that_cannot_be_used(family: Family, tmp_path: Path) -> None:
    """It is told, each time it asks, until they can; nobody else is."""
    missing = tmp_path / "missing.pem"
    bad = family.first.with_identity(tlsCertificateKeyFile=str(missing))
    results = await asyncio.gather(
        *(client.ping() for client in (bad, family.first) for _ in range(5)), return_exceptions=True
    )
    assert [type(result) for result in results] == [ConfigurationError] * 5 + [dict] * 5
    with pytest.raises(ConfigurationError, match=str(missing)):
        await bad.ping()
    family.people["bob"].write(tmp_path, missing.name)
    await bad.ping()
    assert family.connections("bob") == 1
    for client in (family.first, bad):
        await client.close()


async def test_files_of_the_first_that_cannot_be_used(
    server: MongoTestServer, people: dict[str, Certificate], tmp_path: Path
) -> None:
    """Nobody can look at the servers, and both are told which file it is, until it can be used."""
    path = tmp_path / "ada.pem"
    ada: Client = AsyncClient(server.uri(client=people["ada"]), tlsCertificateKeyFile=str(path))
    bob = ada.with_identity(tlsCertificateKeyFile=people["bob"].path)
    for client in (bob, ada, bob):
        with pytest.raises(ConfigurationError, match=str(path)):
            await client.ping()
    people["ada"].write(tmp_path, path.name)
    await asyncio.gather(bob.ping(), ada.ping())
    for client in (ada, bob):
        await client.close()


# Closing


async def test_the_first_is_closed_first(family: Family) -> None:
    """Its connections are closed, the monitors go on; its operations are told that it is closed."""
    bob = family.child("bob")
    await asyncio.gather(family.first.ping(), bob.ping())
    await family.first.close()
    await until(lambda: family.connections("ada") == 0)
    assert family.connections(None) >= 1
    with pytest.raises(InvalidOperation, match="closed"):
        await family.first.ping()
    assert not family.first.topology_description.servers
    await bob.ping()
    eve = family.child("eve", of=bob)
    again = family.child("ada", of=bob)
    await asyncio.gather(eve.ping(), again.ping())
    assert family.connections("ada") == 1
    for client in (bob, eve, again):
        await client.close()
    assert our_tasks() == []


async def test_a_child_is_closed_first(family: Family) -> None:
    """The parent goes on, and so does the other child."""
    bob, eve = family.child("bob"), family.child("eve")
    await asyncio.gather(*(client.ping() for client in family.made))
    await bob.close()
    with pytest.raises(InvalidOperation, match="closed"):
        await bob.ping()
    await asyncio.gather(family.first.ping(), eve.ping())
    await family.first.close()
    await eve.close()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
@pytest.mark.parametrize("how", ["close", "abort", "mixed"])
async def test_in_any_order(family: Family, order: tuple[int, ...], how: str) -> None:
    """When the last one is closed nothing is left, here and at the server, whatever was under way."""
    bob = family.child("bob")
    family.child("eve", of=bob)
    await asyncio.gather(*(client.ping() for client in family.made))
    slow = family.server.on("find").answers_after(30)
    under_way = [asyncio.create_task(client["app"]["things"].find_one()) for client in family.made]
    await asyncio.to_thread(family.server.wait_for, "find", count=3)
    for turn, number in enumerate(order):
        client = family.made[number]
        if how == "close" or (how == "mixed" and turn % 2):
            await client.close()
        else:
            client.abort()
            # It took no time: the sockets are closed in the loop's next turns.
            await client.close()
        result = (await asyncio.gather(under_way[number], return_exceptions=True))[0]
        assert isinstance(result, MongoError)
        for other in order[turn + 1 :]:
            assert not under_way[other].done()
            await family.made[other].ping()
    assert slow.used == 3
    await until(lambda: our_tasks() == [])


async def test_all_at_once(family: Family) -> None:
    """Closed side by side, and each twice."""
    for name in NAMES[1:]:
        family.child(name)
    await asyncio.gather(*(client.ping() for client in family.made))
    await asyncio.gather(*(client.close() for client in (*family.made, *family.made)))


async def test_who_waits_for_a_server_is_woken(people: dict[str, Certificate], kit: CertKit) -> None:
    """Also if the topology goes on for the others."""
    with ReplicaSet(members=2, ca=kit, users=people.values()) as rs:
        family = Family(rs.members[0], people)
        ada: Client = AsyncClient(rs.uri(client=people["ada"]))
        bob = ada.with_identity(tlsCertificateKeyFile=people["bob"].path)
        await asyncio.gather(ada.ping(), bob.ping())
        primary = rs.primary
        assert primary is not None
        primary.kill()
        waiting = {client: asyncio.create_task(client["app"]["x"].insert_one({})) for client in (ada, bob)}
        await until(lambda: bob.topology_description.servers[primary.address].error is not None)
        for client in (bob, ada):
            await client.close()
            # Where it was sent already, what became of that says more.
            with pytest.raises(MongoError):
                await waiting[client]
        await family.first.close()


async def test_who_waits_for_a_connection_is_woken(server: MongoTestServer, people: dict[str, Certificate]) -> None:
    """In a pool that is full; nothing of a closed client's is carried out afterwards."""
    family = Family(server, people, maxPoolSize=1)
    bob = family.child("bob")
    await asyncio.gather(family.first.ping(), bob.ping())
    server.on("find").answers_after(30)
    under_way = asyncio.create_task(bob["app"]["things"].find_one())
    await asyncio.to_thread(server.wait_for, "find")
    waiting = asyncio.create_task(bob["app"]["things"].insert_one({}))
    await until(lambda: bob.pool_status()[server.address].waiting)
    await bob.close()
    for task in (under_way, waiting):
        with pytest.raises((InvalidOperation, PoolClosedError), match="closed"):
            await task
    assert not server.commands_named("insert")
    await family.first.close()


async def test_one_of_two_with_equal_options(server: MongoTestServer, people: dict[str, Certificate]) -> None:
    """What it has begun comes to its end on the connections of both; what waits does not begin."""
    family = Family(server, people, maxPoolSize=1)
    one, two = family.child("bob"), family.child("bob")
    await one.ping()
    server.on("find").answers_after(0.2)
    under_way = asyncio.create_task(one["app"]["things"].find_one())
    await asyncio.to_thread(server.wait_for, "find")
    waiting = asyncio.create_task(one["app"]["things"].insert_one({}))
    await until(lambda: one.pool_status()[server.address].waiting)
    await one.close()
    assert await under_way is None
    with pytest.raises(InvalidOperation, match="closed"):
        await waiting
    await two.ping()
    assert family.connections("bob") == 1
    for client in (two, family.first):
        await client.close()


async def test_closing_during_the_beginning(family: Family) -> None:
    """Whoever waits for it is woken; the others' goes on."""
    for turns in range(40):
        bob, eve = family.child("bob"), family.child("eve")
        waiting = asyncio.create_task(bob.ping())
        others = asyncio.create_task(eve.ping())
        for _ in range(turns):
            await asyncio.sleep(0)
        await bob.close()
        with suppress(InvalidOperation, PoolClosedError):
            await waiting
        await others
        await eve.close()
    await family.first.close()


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_closing_all_during_the_beginning(
    server: MongoTestServer, people: dict[str, Certificate], how: str
) -> None:
    """At whatever moment: nothing is begun any more."""
    for milliseconds in range(0, 40, 2):
        family = Family(server, people)
        bob = family.child("bob")
        waiting = [asyncio.create_task(client.ping()) for client in family.made]
        await asyncio.sleep(milliseconds / 1000)
        for client in (bob, family.first):
            if how == "abort":
                client.abort()
            await client.close()
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(result, (InvalidOperation, PoolClosedError, dict)), result
        await asyncio.sleep(0)
        assert our_tasks() == []


async def test_a_closing_that_is_cancelled(family: Family) -> None:
    """It is done nevertheless, and the others do not notice."""
    bob = family.child("bob")
    await asyncio.gather(family.first.ping(), bob.ping())
    for client in (bob, family.first):
        closing = asyncio.create_task(client.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(InvalidOperation, match="closed"):
            await client.ping()
        if client is bob:
            await family.first.ping()


async def test_failover_after_the_first_was_closed(people: dict[str, Certificate], kit: CertKit) -> None:
    """The monitors that are left follow it."""
    with ReplicaSet(members=3, ca=kit, users=people.values()) as rs:
        ada: Client = AsyncClient(rs.uri(client=people["ada"]), heartbeatFrequencyMS=500)
        bob = ada.with_identity(tlsCertificateKeyFile=people["bob"].path)
        await asyncio.gather(ada.ping(), bob.ping())
        await ada.close()
        for _ in range(2):
            primary = rs.primary
            assert primary is not None
            primary.kill()
            await bob["app"]["things"].insert_one({})
            primary.start()
        assert len(bob.topology_description.servers) == 3
        await bob.close()
    assert our_tasks() == []


# Forgotten


async def test_a_first_one_that_is_forgotten(server: MongoTestServer, people: dict[str, Certificate]) -> None:
    """It keeps nothing open: the last one of the others closes everything."""
    family = Family(server, people)
    bob = family.child("bob")
    await asyncio.gather(family.first.ping(), bob.ping())
    topology = weakref.ref(family.first._executor.topology)
    del family.first
    with pytest.warns(ResourceWarning, match="a client was not closed"):
        family.made.clear()
    gc.collect()
    assert topology() is None
    await bob.ping()
    await bob.close()
    assert our_tasks() == []


async def test_a_child_that_is_forgotten(server: MongoTestServer, people: dict[str, Certificate]) -> None:
    """Python is told; its connections are among those of idle identities."""
    family = Family(server, people, maxIdleIdentities=1)
    for name in ("bob", "eve", "fay"):
        await family.child(name).ping()
        with pytest.warns(ResourceWarning, match="a client was not closed"):
            family.made.pop()
    # Noticed when the next one is made.
    await family.child("ada").ping()
    await until(lambda: family.connections("bob", "eve", "fay") <= 1)
    for client in family.made:
        await client.close()


# Idle


@pytest.mark.parametrize("most", [0, 1, 2])
async def test_idle_identities_are_kept(server: MongoTestServer, people: dict[str, Certificate], most: int) -> None:
    """So many, the one last used for longest: whoever asks for the same has its connections at once."""
    family = Family(server, people, maxIdleIdentities=most)
    await family.first.ping()
    order = ("bob", "eve", "fay")
    for name in order:
        async with aclosing(family.child(name)) as client:
            await client.ping()
    kept = order[len(order) - most :]
    await until(lambda: family.connections(*order) == most)
    assert all(family.connections(name) for name in kept)
    for name in kept:
        async with aclosing(family.child(name)) as client:
            await client.ping()
        assert family.handshakes(name) == 1
    await family.first.close()
    assert our_tasks() == []


async def test_the_least_recently_used_goes_first(server: MongoTestServer, people: dict[str, Certificate]) -> None:
    """Coming back counts as a use."""
    family = Family(server, people, maxIdleIdentities=2)
    await family.first.ping()
    for name in ("bob", "eve", "bob", "fay"):
        async with aclosing(family.child(name)) as client:
            await client.ping()
    await until(lambda: family.connections("eve") == 0)
    assert (family.connections("bob"), family.connections("fay")) == (1, 1)
    assert family.handshakes("bob") == 1
    await family.first.close()


async def test_an_idle_identity_has_no_operations(server: MongoTestServer, people: dict[str, Certificate]) -> None:
    """What is under way when its last client is closed fails, and its connections are not kept."""
    family = Family(server, people, maxIdleIdentities=8)
    bob = family.child("bob")
    await asyncio.gather(*(bob.ping() for _ in range(5)))
    server.on("find").answers_after(30)
    under_way = asyncio.create_task(bob["app"]["things"].find_one())
    await asyncio.to_thread(server.wait_for, "find")
    await bob.close()
    with pytest.raises(MongoError):
        await under_way
    await until(lambda: family.connections("bob") == 0)
    await family.first.close()


async def test_an_identity_that_was_refused_is_not_kept(
    server: MongoTestServer, people: dict[str, Certificate]
) -> None:
    """There is nothing to keep: no connection, and nobody who could be told of its renewals."""
    family = Family(server, people)
    await family.first.ping()
    life = family.first._executor.topology._life
    for _ in range(2):
        with pytest.raises(AuthenticationFailed):
            async with family.first.with_identity(username="nobody", password="x"):
                raise AssertionError
        assert len(life._principals) == len(life._rotations) == 1
    await family.first.close()


async def test_an_aborted_identity_is_not_kept(server: MongoTestServer, people: dict[str, Certificate]) -> None:
    """Whoever wants it gone at once gets that."""
    family = Family(server, people, maxIdleIdentities=8)
    bob = family.child("bob")
    await bob.ping()
    bob.abort()
    await until(lambda: family.connections("bob") == 0)
    await family.first.close()


async def test_an_idle_identity_follows_the_deployment(people: dict[str, Certificate], kit: CertKit) -> None:
    """After a failover it is as good as new."""
    with ReplicaSet(members=3, ca=kit, users=people.values()) as rs:
        ada: Client = AsyncClient(rs.uri(client=people["ada"]), heartbeatFrequencyMS=500)
        bob = ada.with_identity(tlsCertificateKeyFile=people["bob"].path)
        await asyncio.gather(ada.ping(), bob.ping())
        await bob.close()
        primary = rs.primary
        assert primary is not None
        primary.kill()
        await ada["app"]["things"].insert_one({})
        again = ada.with_identity(tlsCertificateKeyFile=people["bob"].path)
        await again["app"]["things"].insert_one({})
        await again.close()
        await ada.close()


async def test_many_that_come_and_go(server: MongoTestServer, people: dict[str, Certificate]) -> None:
    """Nothing grows with them."""
    family = Family(server, people, maxIdleIdentities=1)
    await family.first.ping()
    life = family.first._executor.topology._life
    assert life.deployment is not None
    for _ in range(10):
        for name in ("bob", "eve"):
            async with aclosing(family.child(name)) as client:
                await client.ping()
            family.made.pop()
    assert len(life._principals) <= 2
    assert len(life._rotations) <= 2
    assert len(life._stopped) <= 2
    assert len(life.deployment._principals) <= 2
    assert len(life.deployment._leaving) <= 2
    assert len(life._idle) == 1
    await family.first.close()


@pytest.mark.parametrize("seed", range(3))
async def test_many_lives_at_once(server: MongoTestServer, people: dict[str, Certificate], seed: int) -> None:
    """Made, used, cut off, closed, aborted in any order, in the middle of each other: none notices the others."""
    chance = random.Random(seed)
    family = Family(server, people, maxIdleIdentities=seed, maxPoolSize=2)
    server.on("find", where=lambda command: command.document["filter"] == {"slow": True}).answers_after(0.02)

    async def operations(client: Client, name: str) -> None:
        for slow in chance.choices([True, False], k=3):
            try:
                async with asyncio.timeout(chance.choice([0.005, 10])):
                    await client["app"][name].find_one({"slow": slow})
            except TimeoutError:
                continue
            except MongoError:
                # Only what a client did itself may harm it.
                assert client._executor.is_closed

    async def life() -> None:
        for _ in range(10):
            name = chance.choice(NAMES)
            client = family.child(name, of=chance.choice([each for each in family.made if is_open(each)]))
            working = [asyncio.create_task(operations(client, name)) for _ in range(chance.randrange(1, 4))]
            if chance.random() < 0.7:
                await asyncio.gather(*working)
            else:
                await asyncio.sleep(0)
            if chance.random() < 0.3:
                client.abort()
            if chance.random() < 0.8:
                await client.close()
            await asyncio.gather(*working)

    await asyncio.gather(*(life() for _ in range(5)))
    finds = server.commands_named("find")
    assert finds
    assert all(command.user == f"CN={command.document['find']}" for command in finds)
    chance.shuffle(family.made)
    for client in family.made:
        await client.close()
    await until(lambda: our_tasks() == [])


def is_open(client: Client) -> bool:
    return not client._executor.is_closed and not client._executor.topology._is_closed


# Other loops, other processes


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_second_loop(server: MongoTestServer, people: dict[str, Certificate], order: tuple[int, int]) -> None:
    """After the first loop was closed both begin afresh, on the same loop."""
    family = Family(server, people)
    family.child("bob")

    async def use() -> None:
        for number in order:
            await family.made[number].ping()

    async def close() -> None:
        await use()
        for number in order:
            await family.made[number].close()
        assert our_tasks() == []

    with warnings.catch_warnings():
        # asyncio complains of the transports that a closed loop has left open.
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(use())
        asyncio.run(use())
        asyncio.run(close())
        gc.collect()
    server.drop_connections()


@pytest.mark.parametrize("used", [(), (0,), (1,)])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("how", ["close", "abort"])
def test_closed_on_a_second_loop(
    server: MongoTestServer, people: dict[str, Certificate], used: tuple[int, ...], order: tuple[int, int], how: str
) -> None:
    """Whichever of them was used there, and in whichever order: nothing is left, nothing of the first is touched."""
    family = Family(server, people, maxIdleIdentities=0)
    family.child("bob")

    async def use(*numbers: int) -> None:
        for number in numbers:
            await family.made[number].ping()

    async def close() -> None:
        await use(*used)
        for number in order:
            client = family.made[number]
            if how == "abort":
                client.abort()
            await client.close()
            with pytest.raises(InvalidOperation, match="closed"):
                await client.ping()
        await asyncio.sleep(0)
        assert our_tasks() == []

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(use(0, 1))
        asyncio.run(close())
        gc.collect()
    server.drop_connections()


async def test_an_open_loop_keeps_them_all(family: Family) -> None:
    """A child is refused on another loop while its parent has one."""
    bob = family.child("bob")
    await family.first.ping()

    async def elsewhere() -> None:
        for wrong in (bob.ping(), bob.close()):
            with pytest.raises(InvalidOperation, match="another event loop"):
                await wrong

    await asyncio.to_thread(asyncio.run, elsewhere())
    await bob.ping()
    for client in (bob, family.first):
        await client.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
async def test_a_child_process(family: Family) -> None:
    """It begins afresh, with both of them, and the parent's connections go on."""
    bob = family.child("bob")
    await asyncio.gather(family.first.ping(), bob.ping())

    async def in_child() -> None:
        async with asyncio.timeout(10):
            await asyncio.gather(bob.ping(), family.first.ping())
            await bob.close()
            await family.first.ping()
            await family.first.close()

    before = family.handshakes("bob"), family.handshakes("ada")
    with warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process == 0:
        # The child leaves by this door only: nothing of the test may go on in it.
        status = 1
        try:
            warnings.simplefilter("ignore")
            done: list[int] = []
            # A thread has no running loop to be mistaken for the parent's.
            thread = threading.Thread(target=lambda: done.append(asyncio.run(in_child()) is None))
            thread.start()
            thread.join()
            status = 0 if done else 1
        finally:
            os._exit(status)
    _, status = await asyncio.to_thread(os.waitpid, process, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert (family.handshakes("bob"), family.handshakes("ada")) == (before[0] + 1, before[1] + 1)
    await asyncio.gather(bob.ping(), family.first.ping())
    assert (family.handshakes("bob"), family.handshakes("ada")) == (before[0] + 1, before[1] + 1)
    for client in (family.first, bob):
        await client.close()


# What is shown


async def test_secrets_are_not_shown(family: Family, people: dict[str, Certificate]) -> None:
    """Neither by the client nor by what it says of itself, nor in an error."""
    carl = family.first.with_identity(
        username="carl",
        password="hunter2",
        tlsCertificateKeyFile=people["bob"].path,
        tlsCertificateKeyFilePassword="hunter2",
    )
    for shown in (repr(carl), repr(carl.options), repr(carl["app"]["x"]), repr(carl._executor.topology._principal)):
        assert "hunter2" not in shown
    with pytest.raises(MongoError) as caught:
        await carl.ping()
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigurationError) as refused:
        family.first.with_identity(username="carl", password=["hunter2"])  # type: ignore[arg-type]
    assert "hunter2" not in str(refused.value)
    for client in (carl, family.first):
        await client.close()


async def test_each_tells_of_itself(family: Family) -> None:
    """Its own certificate, pool and user; the servers are the same."""
    bob = family.child("bob")
    await asyncio.gather(family.first.ping(), bob.ping())
    assert (family.first.tls_status().user, bob.tls_status().user) == ("CN=ada", "CN=bob")
    assert (family.first.tls_status().subject, bob.tls_status().subject) == ("CN=ada", "CN=bob")
    assert family.first.tls_status().servers.keys() == bob.tls_status().servers.keys() == {family.server.address}
    await asyncio.gather(*(bob.ping() for _ in range(3)))
    assert family.first.pool_status()[family.server.address].total == 1
    assert family.first.topology_description is bob.topology_description
    assert bob.options.credential == family.first.options.credential
    assert bob.options.tls != family.first.options.tls
    for client in (family.first, bob):
        await client.close()


async def test_a_retired_user_is_refused_alone(family: Family) -> None:
    """A second client of an unknown user has the same error again, and nobody else any."""
    nobody = family.first.with_identity(username="nobody", password="x")
    for _ in range(2):
        with pytest.raises(AuthenticationFailed):
            await nobody.ping()
    await family.first.ping()
    for client in (nobody, family.first):
        await client.close()
