"""Several identities over one topology: none ever serves another, and a bad one is its own affair."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiomongo_tls import (
    AsyncClient,
    AuthenticationFailed,
    AutoReconnect,
    ClientCertificateRejected,
    ConfigurationError,
    ConnectionFailure,
    MongoError,
    ReadPreference,
    ServerCertificateError,
    timeout,
)
from aiomongo_tls.core.server_type import ServerType
from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer, RecordedCommand, ReplicaSet, User

Client = AsyncClient[dict[str, Any]]
INTERNAL = {"hello", "isMaster", "saslStart", "saslContinue", "authenticate", "endSessions", "killCursors"}


@pytest.fixture
def kit() -> CertKit:
    """An authority of its own: tickets are remembered by the process."""
    return CertKit()


@pytest.fixture
def people(kit: CertKit) -> dict[str, Certificate]:
    return {name: kit.client(subject=f"CN={name}") for name in ("ada", "bob", "eve")}


@pytest.fixture
def server(kit: CertKit, people: dict[str, Certificate]) -> Iterator[MongoTestServer]:
    with MongoTestServer(ca=kit, users=[*people.values(), User("carl", "secret"), User("dora", "hush")]) as made:
        yield made


def identity(certificate: Certificate) -> dict[str, Any]:
    return {"tlsCertificateKeyFile": certificate.path}


def der(certificate: Certificate) -> bytes:
    text = certificate.certificate_chain_pem.decode().partition("-----END CERTIFICATE-----")[0]
    return ssl.PEM_cert_to_DER_cert(text + "-----END CERTIFICATE-----\n")


@asynccontextmanager
async def clients(
    server: MongoTestServer | ReplicaSet, first: Certificate, *others: dict[str, Any], **options: Any
) -> AsyncIterator[list[Client]]:
    """A client, and others beside it on its topology, not connected yet; of all of them nothing is left behind."""
    before = asyncio.all_tasks()
    async with AsyncExitStack() as stack:
        parent = await stack.enter_async_context(aclosing(AsyncClient(server.uri(client=first), **options)))
        found = [parent]
        for other in others:
            found.append(await stack.enter_async_context(aclosing(parent.with_identity(**other))))
        yield found
    assert asyncio.all_tasks() == before


async def mixed_load(client: Client, name: str, rounds: int = 3) -> None:
    """Reads, writes and cursors on a collection of this name, some of them broken off."""
    things = client["app"][name]
    for number in range(rounds):
        await things.insert_many([{"n": number, "m": m} for m in range(3)])
        with suppress(MongoError), timeout(0.002):
            await things.find_one({"n": number, "slow": True})
        async for _ in things.find({}, batch_size=2):
            if number % 2:
                break
        await things.update_one({"n": number}, {"$set": {"done": True}})
        await things.count_documents({"n": number})


async def fill(client: Client, count: int) -> None:
    """Have a pool of so many connections, in use at the same time."""
    (pool,) = client.pool_status().values()
    while pool.idle < count:
        await asyncio.gather(*(client.admin.command("ping", comment="slow") for _ in range(count)))
        (pool,) = client.pool_status().values()


def collection_of(command: RecordedCommand) -> str | None:
    if command.name == "getMore":
        return str(command.document["collection"])
    value = command.document.get(command.name)
    return value if isinstance(value, str) else None


def check_separate(server: MongoTestServer, owners: dict[str, str]) -> None:
    """No connection and no session has served two collections, each of which is one client's; and who was it?"""
    by_connection, by_session = defaultdict[int, set[str]](set), defaultdict[bytes, set[str]](set)
    for command in server.commands:
        name = collection_of(command)
        if name is None or name not in owners or command.name in INTERNAL - {"killCursors"}:
            continue
        assert command.user == owners[name], command
        by_connection[command.connection_id].add(name)
        if "lsid" in command.document:
            by_session[bytes(command.document["lsid"]["id"])].add(name)
    assert len(by_connection) > len(owners)
    assert all(len(names) == 1 for names in by_connection.values())
    assert all(len(names) == 1 for names in by_session.values())
    ended = [command for command in server.commands if command.name == "endSessions"]
    for command in ended:
        for session in command.document["endSessions"]:
            names = by_session.get(bytes(session["id"]), set())
            assert {owners[name] for name in names} <= {command.user}


# Apart


@pytest.mark.parametrize("drops", [False, True])
async def test_two_identities_over_twenty_connections(
    server: MongoTestServer, people: dict[str, Certificate], drops: bool
) -> None:
    """Mixed load, broken off now and then: every connection, command and session belongs to one of them."""
    slow = server.on("find", where=lambda command: "slow" in command.document["filter"]).answers_after(0.01)
    server.on("ping", where=lambda command: "comment" in command.document).answers_after(0.05)

    async def load(client: Client, name: str) -> None:
        # A standalone server has no writes that could be tried again.
        with suppress(AutoReconnect):
            await mixed_load(client, name)

    async with clients(server, people["ada"], identity(people["bob"]), maxPoolSize=10) as (ada, bob):
        await asyncio.gather(ada.ping(), bob.ping())
        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(load(ada, "ada"))
                group.create_task(load(bob, "bob"))
            if drops:
                await asyncio.to_thread(server.wait_for, "insert", count=10)
                server.drop_connections()
        assert slow.used
        await asyncio.gather(ada.ping(), bob.ping())
        await asyncio.gather(fill(ada, 10), fill(bob, 10))
        connections = server.connections
        users = [connection.user for connection in connections if connection.user]
        assert (users.count("CN=ada"), users.count("CN=bob")) == (10, 10)
        for connection in connections:
            assert connection.tls is not None
            shown = {der(people[name]): f"CN={name}" for name in ("ada", "bob")}[connection.tls.peer_der or b""]
            # Monitors are the first client's, and nobody's user.
            assert connection.user in ({shown, None} if shown == "CN=ada" else {shown})
    check_separate(server, {"ada": "CN=ada", "bob": "CN=bob"})


async def test_users_over_one_certificate(server: MongoTestServer, people: dict[str, Certificate]) -> None:
    """Two with passwords, and one whom the certificate itself stands for: the TLS is the same, the pools are not."""
    carl, dora = ({"username": name, "password": word} for name, word in (("carl", "secret"), ("dora", "hush")))
    async with clients(server, people["ada"], carl, dora, maxPoolSize=5) as (ada, by_carl, by_dora):
        everybody = {"ada": ada, "carl": by_carl, "dora": by_dora}
        async with asyncio.TaskGroup() as group:
            for name, client in everybody.items():
                for _ in range(5):
                    group.create_task(mixed_load(client, name))
        statuses = [client.tls_status() for client in everybody.values()]
        assert len({status.fingerprint for status in statuses}) == 1
        assert [status.user for status in statuses] == ["CN=ada", "carl", "dora"]
        assert {connection.tls.peer_der for connection in server.connections if connection.tls} == {der(people["ada"])}
    check_separate(server, {"ada": "CN=ada", "carl": "carl", "dora": "dora"})


async def test_another_password_is_another_identity(server: MongoTestServer, people: dict[str, Certificate]) -> None:
    """A password that was changed meanwhile opens nothing that was opened with the one before."""
    carl = {"username": "carl", "password": "secret"}
    wrong = {"username": "carl", "password": "wrong"}
    async with clients(server, people["ada"], carl, wrong) as (_, right, other):
        await right.ping()
        for _ in range(3):
            with pytest.raises(AuthenticationFailed):
                await other.ping()
        await right.ping()


async def test_equal_options_share_connections_and_not_sessions(
    server: MongoTestServer, people: dict[str, Certificate]
) -> None:
    """Each client ends its own sessions, and the pool is there until the last of them is closed."""
    bob = identity(people["bob"])
    async with clients(server, people["ada"], bob, bob, maxPoolSize=1) as (_, one, two):
        for _ in range(3):
            await one["app"]["one"].find_one()
            await two["app"]["two"].find_one()
        finds = server.commands_named("find")
        assert len({command.connection_id for command in finds}) == 1
        sessions = {
            name: {bytes(find.document["lsid"]["id"]) for find in finds if find.document["find"] == name}
            for name in ("one", "two")
        }
        assert len(sessions["one"]) == len(sessions["two"]) == 1
        assert sessions["one"] != sessions["two"]
        assert one.pool_status() == two.pool_status()
        await one.close()
        (ended,) = server.commands_named("endSessions")
        assert {bytes(session["id"]) for session in ended.document["endSessions"]} == sessions["one"]
        await two["app"]["two"].find_one()
        assert len({command.connection_id for command in server.commands_named("find")}) == 1


async def test_with_identity_of_with_identity(server: MongoTestServer, people: dict[str, Certificate]) -> None:
    """Each begins with what the one before is; back again means the same connections."""
    async with clients(server, people["ada"], identity(people["bob"])) as (ada, bob):
        await asyncio.gather(ada.ping(), bob.ping())
        async with (
            bob.with_identity(username="carl", password="secret") as carl,
            carl.with_identity(authMechanism="MONGODB-X509") as again,
        ):
            await asyncio.gather(carl.ping(), again.ping())
            assert carl.tls_status().subject == again.tls_status().subject == "CN=bob"
            assert (carl.tls_status().user, again.tls_status().user) == ("carl", "CN=bob")
            pings = server.commands_named("ping")
            assert pings[-1].user != pings[-2].user
            assert {ping.connection_id for ping in pings if ping.user == "CN=bob"} == {
                connection.id for connection in server.connections if connection.user == "CN=bob"
            }
            assert len([connection for connection in server.connections if connection.user == "CN=bob"]) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_no_ticket_crosses_hosts_or_identities(
    kit: CertKit, people: dict[str, Certificate], version: ssl.TLSVersion
) -> None:
    """On resumed connections, too, the server sees the certificate of whoever speaks."""
    versions: Any = {"minimum_version": version, "maximum_version": version}
    hosts = [MongoTestServer(ca=kit, users=[*people.values()], **versions) for _ in range(2)]
    with hosts[0], hosts[1]:
        resumed = 0
        for _ in range(3):
            for host in hosts:
                others = [identity(people[name]) for name in ("bob", "eve")]
                async with clients(host, people["ada"], *others) as found:
                    for client, name in zip(found, people, strict=True):
                        await client["app"][name].find_one()
                    by_user = {connection.user: connection.tls for connection in host.connections}
                    for name, certificate in people.items():
                        info = by_user[f"CN={name}"]
                        assert info is not None
                        assert info.peer_der == der(certificate)
                        resumed += info.resumed
        # The first of each at each host cannot be.
        assert resumed >= 2 * 2 * len(people) - 2


# A bad one


class Load:
    """A client that works all the time, and what became of it."""

    def __init__(self, client: Client, name: str) -> None:
        self.errors: list[Exception] = []
        self.done = 0
        self._client = client
        self._name = name
        self._ends = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Load:
        await self._client.aconnect()
        self._tasks = [asyncio.create_task(self._work(number)) for number in range(4)]
        await self.goes_on()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ends = True
        await asyncio.gather(*self._tasks)

    async def goes_on(self, count: int = 20) -> None:
        """Wait until so many more operations were carried out."""
        until = self.done + count
        async with asyncio.timeout(10):
            while self.done < until:  # noqa: ASYNC110 - they are counted, not told of
                await asyncio.sleep(0.001)

    async def _work(self, number: int) -> None:
        things = self._client["app"][self._name]
        while not self._ends:
            try:
                if number % 2:
                    await things.insert_one({"n": self.done})
                else:
                    await things.find_one({"n": self.done})
                self.done += 1
            except MongoError as exc:
                self.errors.append(exc)
                raise


def bad_ones(kit: CertKit, people: dict[str, Certificate]) -> dict[str, tuple[dict[str, Any], type[MongoError], str]]:
    """What can be wrong with an identity, the error, and words in it."""
    expired = kit.client(subject="CN=bob", not_before=datetime.now(UTC) - timedelta(days=2), not_after=YESTERDAY)
    stranger = kit.stranger()
    return {
        "strange CA": (
            {**identity(people["bob"]), "tlsCAFile": str(stranger.ca_path)},
            ServerCertificateError,
            "unknown-ca",
        ),
        "strange certificate": (identity(stranger.client(subject="CN=bob")), ClientCertificateRejected, "unknown-ca"),
        "expired": (identity(expired), ClientCertificateRejected, "expired"),
        "unknown user": (identity(kit.client(subject="CN=nobody")), AuthenticationFailed, "CN=nobody"),
        "wrong password": ({"username": "carl", "password": "wrong"}, AuthenticationFailed, "carl"),
        # No name or password that can be prepared, so that nothing is sent.
        "no password": ({"username": "carl", "password": "se\u0007cret"}, ConfigurationError, "password"),
        "no such user": ({"username": "nobody", "password": "x"}, AuthenticationFailed, "nobody"),
        "wrong host": ({"tlsServerNames": {"127.0.0.1": "db.example.net"}}, ServerCertificateError, "db.example.net"),
    }


YESTERDAY = datetime.now(UTC) - timedelta(days=1)
BAD = [
    "strange CA",
    "strange certificate",
    "expired",
    "unknown user",
    "wrong password",
    "no such user",
    "no password",
    "wrong host",
]


async def check_good_and_bad(good: Client, bad: Client, error: type[MongoError], says: str) -> None:
    """While the good one works, the bad one gets its own error, soon; nothing becomes of it but that."""
    async with Load(good, "good") as load:
        before = {address: pool.generation for address, pool in good.pool_status().items()}
        description = good.topology_description
        for operation in (bad.ping, bad["app"]["bad"].find_one, lambda: bad["app"]["bad"].insert_one({})):
            started = asyncio.get_running_loop().time()
            with pytest.raises(error) as caught:
                await operation()
            assert asyncio.get_running_loop().time() - started < 5
            assert says in str(caught.value)
            for server in good.topology_description.servers.values():
                assert server.server_type is not ServerType.UNKNOWN
        results = await asyncio.gather(*(bad.ping() for _ in range(10)), return_exceptions=True)
        assert {type(result) for result in results} == {error}
        await load.goes_on()
        assert description.servers.keys() == good.topology_description.servers.keys()
    assert load.errors == []
    assert {address: pool.generation for address, pool in good.pool_status().items()} == before


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_one_beside_a_good_one(
    server: MongoTestServer, kit: CertKit, people: dict[str, Certificate], what: str
) -> None:
    """Its own error, at once, each time; the good one notices nothing."""
    bad_identity, error, says = bad_ones(kit, people)[what]
    async with clients(server, people["ada"], bad_identity) as (good, bad):
        await check_good_and_bad(good, bad, error, says)


@pytest.mark.parametrize("what", ["strange CA", "unknown user", "wrong password"])
async def test_a_bad_one_beside_a_good_one_in_a_set(kit: CertKit, people: dict[str, Certificate], what: str) -> None:
    """The same at every member, for writes and for reads from any of them."""
    bad_identity, error, says = bad_ones(kit, people)[what]
    with ReplicaSet(members=3, ca=kit, users=[*people.values(), User("carl", "secret")]) as rs:
        async with clients(rs, people["ada"], bad_identity) as (good, bad):
            await check_good_and_bad(good, bad, error, says)
            nearest = bad["app"].with_options(read_preference=ReadPreference.NEAREST)
            for _ in range(5):
                with pytest.raises(error):
                    await nearest["bad"].find_one()
            kinds = [server.server_type for server in good.topology_description.servers.values()]
            assert kinds.count(ServerType.RS_PRIMARY) == 1
            assert kinds.count(ServerType.RS_SECONDARY) == 2


@pytest.mark.parametrize("what", ["strange CA", "unknown user", "wrong password"])
async def test_a_bad_one_beside_a_good_one_behind_a_load_balancer(
    kit: CertKit, people: dict[str, Certificate], what: str
) -> None:
    """Where nobody watches."""
    bad_identity, error, says = bad_ones(kit, people)[what]
    users: list[Certificate | User] = [*people.values(), User("carl", "secret")]
    with MongoTestServer(ca=kit, users=users, topology="load_balanced") as server:
        async with clients(server, people["ada"], bad_identity) as (good, bad):
            await check_good_and_bad(good, bad, error, says)
            before = len(good.pool_status())
            assert before == 1


@pytest.mark.parametrize("threshold", [0, 60_000])
async def test_one_member_that_refuses(kit: CertKit, people: dict[str, Certificate], threshold: int) -> None:
    """A member that one identity alone does not trust is not read from by it, be it the nearest one or not."""
    other = kit.stranger()
    with ReplicaSet(members=3, ca=kit, users=[*people.values()]) as rs:
        both = {**identity(people["bob"]), "tlsCAFile": kit.ca_pem}
        odd = rs.secondaries[0]
        trusted = kit.ca_pem + other.ca_pem
        async with clients(rs, people["ada"], both, tlsCAFile=trusted, localThresholdMS=threshold) as (ada, bob):
            await asyncio.gather(ada.ping(), bob.ping())
            # The first one trusts both authorities, so that the monitors go on.
            odd.rotate(other.server("127.0.0.1"))
            odd.drop_connections()
            async with asyncio.timeout(10):
                while ada.topology_description.servers[odd.address].server_type is not ServerType.RS_SECONDARY:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            secondaries = bob["app"].with_options(read_preference=ReadPreference.SECONDARY)
            for _ in range(20):
                await secondaries["things"].find_one()
            assert not [command for command in odd.commands_named("find") if command.user == "CN=bob"]
            topology = bob._executor.topology
            for _ in range(20 if threshold else 0):
                # Nor does it cost each read a search.
                connection = topology.try_check_out(ReadPreference.SECONDARY)
                assert connection is not None
                topology.check_in(connection)
            theirs = ada["app"].with_options(read_preference=ReadPreference.SECONDARY)
            for _ in range(20):
                await theirs["things"].find_one()
            assert odd.commands_named("find") or not threshold


async def test_a_bad_one_recovers_by_itself(
    server: MongoTestServer, kit: CertKit, people: dict[str, Certificate]
) -> None:
    """The user is added, and the next operation is carried out."""
    newcomer = kit.client(subject="CN=newcomer")
    async with clients(server, people["ada"], identity(newcomer)) as (good, bad):
        async with Load(good, "good"):
            with pytest.raises(AuthenticationFailed):
                await bad.ping()
            server.add_user(newcomer)
            await bad.ping()
            server.remove_user(newcomer)
            await bad.ping()
        generation = good.pool_status()[server.address].generation
        assert generation == 0


async def test_the_first_one_may_be_the_bad_one(
    server: MongoTestServer, kit: CertKit, people: dict[str, Certificate]
) -> None:
    """Its monitors need no user."""
    nobody = kit.client(subject="CN=nobody")
    async with clients(server, nobody, identity(people["bob"])) as (bad, good):
        with pytest.raises(AuthenticationFailed):
            await bad.ping()
        await check_good_and_bad(good, bad, AuthenticationFailed, "CN=nobody")


async def test_hanging_up_on_one(server: MongoTestServer, people: dict[str, Certificate]) -> None:
    """Nobody says why, so it is tried again until the time is up; the other one notices nothing."""

    def is_bobs(command: RecordedCommand) -> bool:
        return bool(command.document.get("speculativeAuthenticate", {}).get("mechanism") == "SCRAM-SHA-256")

    rule = server.on("hello", where=is_bobs).hangs_up()
    carl = {"username": "carl", "password": "secret", "authMechanism": "SCRAM-SHA-256"}
    async with clients(server, people["ada"], carl) as (good, bad):
        async with Load(good, "good") as load:
            with suppress(ConnectionFailure), timeout(2):
                # Its files are read, which may take long on a busy machine.
                await bad.ping()
            for _ in range(2):
                with pytest.raises(ConnectionFailure, match="the server closed the connection"), timeout(0.5):
                    await bad.ping()
            await load.goes_on()
        assert load.errors == []
        assert good.pool_status()[server.address].generation == 0
        assert rule.used < 60


async def test_waiting_as_the_specification_does(
    server: MongoTestServer, kit: CertKit, people: dict[str, Certificate]
) -> None:
    """With tlsFailFast=false a fault of TLS is waited out, without a storm; the other one notices nothing."""
    bad_identity, _, says = bad_ones(kit, people)["strange CA"]
    async with clients(server, people["ada"], bad_identity, tlsFailFast=False) as (
        good,
        bad,
    ):
        async with Load(good, "good") as load:
            for seconds in (2, 0.5):
                begun = asyncio.get_running_loop().time()
                with pytest.raises(ServerCertificateError, match=says), timeout(seconds):
                    await bad.ping()
                assert asyncio.get_running_loop().time() - begun >= 0.9 * seconds
            await load.goes_on()
        assert load.errors == []
        assert len(server.failed_handshakes) < 30


@pytest.mark.parametrize("what", ["unknown user", "strange CA"])
async def test_keeping_a_minimum_is_no_storm(
    server: MongoTestServer, kit: CertKit, people: dict[str, Certificate], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Who is refused is not tried again at once for minPoolSize; the log is told once."""
    bad_identity, error, _ = bad_ones(kit, people)[what]
    async with (
        clients(server, people["ada"], bad_identity, minPoolSize=3) as (good, bad),
        Load(good, "good") as load,
    ):
        with pytest.raises(error):
            await bad.ping()
        attempts = attempts_of_bad(server)
        begun = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < begun + 1.2:
            await load.goes_on()
        assert attempts_of_bad(server) - attempts <= 8
    told = [record for record in caplog.records if "minPoolSize" in record.getMessage()]
    assert len(told) <= 1


def attempts_of_bad(server: MongoTestServer) -> int:
    hellos = [command.document.get("speculativeAuthenticate", {}) for command in server.commands_named("hello")]
    return len(server.failed_handshakes) + len(hellos)


# Shared


async def test_monitors_are_shared(kit: CertKit, people: dict[str, Certificate]) -> None:
    """However many identities there are, a server is watched by one client's connections."""
    with ReplicaSet(members=2, ca=kit, users=[*people.values()]) as rs:
        others = [identity(people[name]) for name in ("bob", "eve")]
        async with clients(rs, people["ada"], *others, heartbeatFrequencyMS=500) as found:
            await found[0].ping()
            async with asyncio.timeout(5):
                # Each has one that streams and one that measures round trips.
                while watching(rs) < 4:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            for client in found[1:]:
                await client.ping()
                await client["app"].with_options(read_preference=ReadPreference.SECONDARY)["x"].find_one()
            assert watching(rs) == 4
            shown = {c.tls.peer_der for member in rs.members for c in member.connections if c.tls and not c.user}
            assert shown == {der(people["ada"])}


def watching(rs: ReplicaSet) -> int:
    return sum(connection.user is None for member in rs.members for connection in member.connections)


# Renewed


def renewed(kit: CertKit, name: str, number: int) -> Certificate:
    return kit.client(subject=f"CN={name}", not_after=datetime.now(UTC) + timedelta(days=30 + number))


async def test_each_is_renewed_by_itself(server: MongoTestServer, kit: CertKit, tmp_path: Path) -> None:
    """A new file of one changes its connections only, and only it tells of that."""
    files = {name: renewed(kit, name, 0).write(tmp_path, f"{name}.pem") for name in ("ada", "bob")}
    uri = f"mongodb://{server.address}/?authMechanism=MONGODB-X509&tlsReloadIntervalMS=0&tlsCAFile={kit.ca_path}"
    async with (
        AsyncClient.connect(uri, tlsCertificateKeyFile=str(files["ada"])) as ada,
        ada.with_identity(tlsCertificateKeyFile=str(files["bob"])) as bob,
    ):
        before = {client: client.tls_status() for client in (ada, bob)}
        new = renewed(kit, "bob", 1)
        new.write(tmp_path, "bob.pem")
        assert await ada.reload_tls() is False
        assert await bob.reload_tls() is True
        assert await bob.reload_tls() is False
        assert ada.tls_status() == before[ada]
        after = bob.tls_status()
        assert after.fingerprint == new.details.fingerprint != before[bob].fingerprint
        assert after.last_reload is not None
        await asyncio.gather(*(use_more_connections(client, server) for client in (ada, bob)))
        shown = defaultdict[str | None, set[bytes | None]](set)
        for connection in server.connections:
            assert connection.tls is not None
            shown[connection.user].add(connection.tls.peer_der)
        assert der(new) in shown["CN=bob"]
        assert len(shown["CN=ada"]) == len(shown[None]) == 1
        assert der(new) not in shown["CN=ada"] | shown[None]


async def use_more_connections(client: Client, server: MongoTestServer) -> None:
    """As many operations at once as need more connections than there are."""
    count = len(server.connections) + 3
    server.on("find").answers_after(0.05).times(count)
    await asyncio.gather(*(client["app"]["things"].find_one({"n": n}) for n in range(count)))


@pytest.mark.parametrize("removed", [False, True])
async def test_the_monitors_of_a_closed_one_are_renewed(
    server: MongoTestServer, kit: CertKit, tmp_path: Path, people: dict[str, Certificate], removed: bool
) -> None:
    """They go on showing its certificate, and the next one of it; even if its user is gone from the database."""
    first = renewed(kit, "ada", 0)
    path = first.write(tmp_path, "ada.pem")
    uri = f"mongodb://{server.address}/?authMechanism=MONGODB-X509&tlsReloadIntervalMS=20&heartbeatFrequencyMS=500"
    ada = await AsyncClient.connect(uri, tlsCertificateKeyFile=str(path), tlsCAFile=kit.ca_path)
    async with ada.with_identity(**identity(people["bob"])) as bob:
        await ada.close()
        if removed:
            server.remove_user("CN=ada")
        new = renewed(kit, "ada", 1)
        new.write(tmp_path, "ada.pem")
        async with asyncio.timeout(10):
            while {c.tls.peer_der for c in server.connections if c.tls and not c.user} != {der(new)}:
                await bob.ping()
                await asyncio.sleep(0.01)
        assert not [connection for connection in server.connections if connection.user == "CN=ada"]


async def test_a_renewal_of_one_that_is_refused(
    server: MongoTestServer,
    kit: CertKit,
    tmp_path: Path,
    people: dict[str, Certificate],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A new certificate of another subject that nobody knows: the present one stays, and the others work."""
    path = renewed(kit, "bob", 0).write(tmp_path, "bob.pem")
    async with clients(server, people["ada"], {"tlsCertificateKeyFile": str(path)}, tlsReloadIntervalMS=0) as (
        ada,
        bob,
    ):
        await asyncio.gather(ada.ping(), bob.ping())
        with caplog.at_level(logging.WARNING, "aiomongo_tls.tls"):
            kit.client(subject="CN=unknown").write(tmp_path, "bob.pem")
            assert await bob.reload_tls() is False
        assert bob.tls_status().on_disk_differs
        assert not ada.tls_status().on_disk_differs
        assert isinstance(bob.tls_status().last_reload_error, AuthenticationFailed)
        await asyncio.gather(ada.ping(), bob.ping())
        assert len([record for record in caplog.records if "identity is refused" in record.getMessage()]) == 1


async def test_an_expiring_certificate_is_warned_of_once(
    server: MongoTestServer, kit: CertKit, people: dict[str, Certificate], caplog: pytest.LogCaptureFixture
) -> None:
    """However often its client comes and goes, and whatever else it is with."""
    soon = kit.client(subject="CN=bob", not_after=datetime.now(UTC) + timedelta(minutes=10))
    users: list[dict[str, Any]] = [{}, {"username": "carl", "password": "secret"}]
    async with clients(server, people["ada"], maxIdleIdentities=0) as (ada,):
        for user in (*users, *users):
            async with ada.with_identity(**identity(soon), **user) as bob:
                await bob.ping()
    told = [record.getMessage() for record in caplog.records if record.name == "aiomongo_tls.tls"]
    assert len([text for text in told if "CN=bob" in text]) == 1


async def test_another_subject_drops_its_own_sessions(
    server: MongoTestServer, kit: CertKit, tmp_path: Path, people: dict[str, Certificate]
) -> None:
    """Sessions belong to a user; those of the others stay."""
    path = renewed(kit, "bob", 0).write(tmp_path, "bob.pem")
    async with clients(server, people["ada"], {"tlsCertificateKeyFile": str(path)}, tlsReloadIntervalMS=0) as found:
        lsids: dict[Client, list[bytes]] = {client: [] for client in found}

        async def use() -> None:
            for client in found:
                await client["app"]["things"].find_one()
                lsids[client].append(bytes(server.commands_named("find")[-1].document["lsid"]["id"]))

        await use()
        people["eve"].write(tmp_path, "bob.pem")
        assert await found[1].reload_tls() is True
        await use()
        assert lsids[found[0]][0] == lsids[found[0]][1]
        assert lsids[found[1]][0] != lsids[found[1]][1]
        assert found[1].tls_status().user == "CN=eve"
