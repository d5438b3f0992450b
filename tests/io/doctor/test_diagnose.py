"""`diagnose()` against real servers: each fault has its own finding, a healthy server none above info."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from dns_server import dns_server
from peers import MongoPeer, mongo_peer, raw_peer

from aiomongo_tls import Check, Diagnosis, Finding, Severity, TLSIdentity, diagnose
from aiomongo_tls.doctor import examination
from aiomongo_tls.doctor.examination import Examination, World
from aiomongo_tls.doctor.host import RecordedLookup
from aiomongo_tls.net.dns import Endpoint
from aiomongo_tls.net.srv import DNSResolver
from aiomongo_tls.testing import CertKit, MongoTestServer, OCSPResponder, ReplicaSet, ShardedCluster, User

LATE = 1.5
"""Seconds that a diagnosis may take beyond its time limit on a busy machine."""


@contextmanager
def serving(certs: CertKit, **settings: Any) -> Iterator[MongoTestServer]:
    """A server that demands a certificate and knows `ada`."""
    with MongoTestServer(ca=certs, **({"users": [certs.client("ada")]} | settings)) as server:
        yield server


def fault(diagnosis: Diagnosis) -> Finding:
    """The one finding above info."""
    (found,) = [finding for finding in diagnosis.findings if finding.severity is not Severity.INFO]
    return found


def checks(diagnosis: Diagnosis) -> list[Check]:
    """The checks that findings were made by, each once."""
    return list(dict.fromkeys(finding.check for finding in diagnosis.findings))


async def examine(uri: str, *, world: World | None = None, timeout: float = 10.0, **options: Any) -> Diagnosis:
    """`diagnose()` in a world of the test's."""
    return await Examination(world or World(mountinfo=""), timeout=timeout).run(uri, options)  # type: ignore[arg-type]


# Healthy


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_healthy_server(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """Nothing is above info, and all steps were taken, in order."""
    with serving(aiomongo_certs, minimum_version=version, maximum_version=version) as server:
        diagnosis = await diagnose(server.uri())
        assert diagnosis.worst is Severity.INFO, diagnosis
        assert diagnosis.reasons() == set()
        # Looking up is not needed for an address.
        assert [check for check in checks(diagnosis) if check is not Check.DNS] == [
            Check.ENVIRONMENT,
            Check.URI,
            Check.FILES,
            Check.TCP,
            Check.TLS,
            Check.HELLO,
            Check.AUTH,
            Check.PING,
        ]
        # One connection asks, the other logs in; nothing else was sent.
        assert {command.name for command in server.commands} == {"isMaster", "ping"}


async def test_a_healthy_server_by_name_with_a_password(aiomongo_certs: CertKit) -> None:
    """The name is looked up, the password works and is nowhere to be seen."""
    with MongoTestServer(ca=aiomongo_certs, users=[User("ada", "s3cr3t/+word")], tls="require") as server:
        uri = server.uri().replace("127.0.0.1", "localhost")
        diagnosis = await diagnose(uri)
        assert diagnosis.worst is Severity.INFO, diagnosis
        (found,) = [finding for finding in diagnosis.findings if finding.check is Check.DNS]
        assert "127.0.0.1" in (found.found or "")
        (login,) = [finding for finding in diagnosis.findings if finding.check is Check.AUTH]
        assert login.found == "ada by SCRAM" or (login.found or "").startswith("ada by SCRAM-SHA-")
        assert_no_secret(diagnosis, "s3cr3t")


async def test_every_member_is_found(aiomongo_certs: CertKit) -> None:
    """From one member of a replica set to all of them, each with all its steps."""
    with ReplicaSet(members=3, arbiters=1, ca=aiomongo_certs, users=[aiomongo_certs.client("ada")]) as replica_set:
        uri = replica_set.secondaries[0].uri(directConnection=None)
        diagnosis = await diagnose(uri)
        assert diagnosis.worst is Severity.INFO, diagnosis
        hosts = {finding.host for finding in diagnosis.findings if finding.check is Check.PING}
        assert hosts == {member.address for member in replica_set.members}
        assert len(hosts) == 4


async def test_one_member_that_is_down(aiomongo_certs: CertKit) -> None:
    """It has its own finding; the others are healthy."""
    with ReplicaSet(members=3, ca=aiomongo_certs, users=[aiomongo_certs.client("ada")]) as replica_set:
        down = replica_set.secondaries[0]
        down.kill()
        found = fault(await diagnose(replica_set.uri()))
        assert (found.check, found.reason, found.host) == (Check.TCP, "connection-refused", down.address)


async def test_a_set_without_a_primary(aiomongo_certs: CertKit) -> None:
    """No server would take writes: that is said of all servers, besides what is said of each."""
    with ReplicaSet(members=3, ca=aiomongo_certs, users=[aiomongo_certs.client("ada")]) as replica_set:
        for member in replica_set.members[1:]:
            member.kill()
        diagnosis = await diagnose(replica_set.uri())
        assert diagnosis.reasons() == {"connection-refused", "no-suitable-server"}
        assert diagnosis.errors[-1].host is None


async def test_a_server_that_belongs_elsewhere(aiomongo_certs: CertKit) -> None:
    """A member that is reached by another name than its set's, and a set with another name."""
    with ReplicaSet(members=1, ca=aiomongo_certs, users=[aiomongo_certs.client("ada")]) as replica_set:
        uri = replica_set.uri()
        diagnosis = await diagnose(uri.replace("127.0.0.1", "localhost"))
        assert fault(diagnosis).reason == "not-a-member"
        assert str(fault(diagnosis).host).startswith("localhost:")
        diagnosis = await diagnose(uri, replicaSet="rs9")
        assert diagnosis.reasons() == {"not-a-member", "no-suitable-server"}


@pytest.mark.parametrize("kind", ["load_balanced", "sharded"])
async def test_other_deployments(kind: str, aiomongo_certs: CertKit) -> None:
    """Several mongos, and a service behind a load balancer, for which the options have to say so."""
    users = [aiomongo_certs.client("ada")]
    if kind == "sharded":
        with ShardedCluster(mongos=2, ca=aiomongo_certs, users=users) as cluster:
            diagnosis = await diagnose(cluster.uri())
            assert diagnosis.worst is Severity.INFO, diagnosis
            assert len([finding for finding in diagnosis.findings if finding.check is Check.PING]) == 2
        return
    with serving(aiomongo_certs, topology="load_balanced") as server:
        diagnosis = await diagnose(server.uri())
        assert diagnosis.worst is Severity.INFO, diagnosis
        found = fault(await diagnose(server.uri(loadBalanced=None)))
        assert (found.check, found.reason) == (Check.HELLO, "hello-failed")
        assert "loadBalanced=true" in (found.fix or "")


def test_on_uvloop(aiomongo_certs: CertKit) -> None:
    """The same findings on another event loop."""
    uvloop = pytest.importorskip("uvloop")
    with serving(aiomongo_certs) as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        diagnosis = runner.run(diagnose(server.uri()))
        assert diagnosis.worst is Severity.INFO, diagnosis
        server.stalls("hello")
        assert fault(runner.run(diagnose(server.uri(), timeout=2))).reason == "hello-timeout"


# The certificate matrix

MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "server certificate expired": ({"expired": True}, {}, {"certificate-expired"}),
    "server certificate not yet valid": ({"not_yet_valid": True}, {}, {"not-yet-valid"}),
    "server certificate for another host": ({"names": ["db.example.net"]}, {}, {"hostname-mismatch"}),
    "address that is not in the names": ({"names": ["localhost"]}, {}, {"hostname-mismatch"}),
    "self-signed server certificate": ({"self_signed": True}, {}, {"unknown-ca"}),
    "client certificate expired": ({}, {"expired": True}, {"client-certificate-expired"}),
    "user unknown": ({}, {"cn": "nobody"}, {"unknown-user"}),
}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_mistake_of_the_matrix(mistake: str, version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """Each has the reason that a client's error has, and says what to do."""
    server_kind, client_kind, expected = MISTAKES[mistake]
    names = server_kind.get("names", ["localhost", "127.0.0.1"])
    kind = {key: value for key, value in server_kind.items() if key != "names"}
    certificate = aiomongo_certs.server(*names, **kind)
    me = aiomongo_certs.client(**({"cn": "ada"} | client_kind))
    with serving(aiomongo_certs, certificate=certificate, minimum_version=version, maximum_version=version) as server:
        diagnosis = await diagnose(server.uri(client=me, tlsCAFile=aiomongo_certs.ca_path))
        assert diagnosis.reasons() == expected
        found = next(finding for finding in diagnosis.errors if finding.host == server.address)
        assert found.check is (Check.AUTH if mistake == "user unknown" else Check.TLS)
        assert found.fix
        assert found.found


async def test_authorities_of_the_matrix(aiomongo_certs: CertKit) -> None:
    """A server of an unknown authority; a client without a certificate, and with one of another authority."""
    me, stranger = aiomongo_certs.client("ada"), aiomongo_certs.stranger().client("ada")
    with serving(aiomongo_certs) as server:
        uri = server.uri(client=me, tlsCAFile=aiomongo_certs.stranger().ca_path)
        assert fault(await diagnose(uri)).reason == "unknown-ca"
        assert fault(await diagnose(server.uri(client=None))).reason == "client-certificate-required"
        uri = server.uri(client=stranger, tlsCAFile=aiomongo_certs.ca_path)
        assert fault(await diagnose(uri)).reason == "client-certificate-unknown-ca"


async def test_a_chain_that_is_not_whole(aiomongo_certs: CertKit) -> None:
    """An intermediate authority that is left out; put before the client's own certificate it is only odd."""
    me = aiomongo_certs.client("ada", intermediate=True)
    leaf, _, rest = me.certificate_chain_pem.partition(b"-----END CERTIFICATE-----\n")
    leaf += b"-----END CERTIFICATE-----\n"
    with serving(aiomongo_certs, users=[me]) as server:
        uri = server.uri(client=None, authMechanism="MONGODB-X509")
        diagnosis = await diagnose(uri, tlsCertificateKeyFile=me.private_key_pem + leaf)
        assert fault(diagnosis).reason == "client-certificate-unknown-ca"
        diagnosis = await diagnose(uri, tlsCertificateKeyFile=me.private_key_pem + rest + leaf)
        assert fault(diagnosis).reason == "leaf-not-first"
        assert_no_secret(diagnosis, "PRIVATE KEY")


async def test_a_password_of_a_key(aiomongo_certs: CertKit) -> None:
    """A right one from a coroutine function, a wrong one, none; it is shown nowhere."""
    me = aiomongo_certs.client("ada", password="correct horse")

    async def password() -> str:
        return "correct horse"

    with serving(aiomongo_certs) as server:
        uri = server.uri(client=None, authMechanism="MONGODB-X509", tlsCertificateKeyFile=me.path)
        assert (await diagnose(uri, tlsCertificateKeyFilePassword=password)).worst is Severity.INFO
        diagnosis = await diagnose(uri, tlsCertificateKeyFilePassword="battery staple")
        assert fault(diagnosis).reason == "key-password-wrong"
        assert_no_secret(diagnosis, "staple")
        assert fault(await diagnose(uri)).reason == "key-password-missing"


async def test_identities_from_elsewhere(aiomongo_certs: CertKit) -> None:
    """A provider is asked, an identity is looked into, a ready context is used as it is."""
    me = aiomongo_certs.client("ada")

    class Provider:
        async def identity(self) -> TLSIdentity:
            return TLSIdentity(key=me.pem, ca=aiomongo_certs.ca_pem)

    class Away:
        async def identity(self) -> TLSIdentity:
            raise ConnectionRefusedError("token s3cr3t")

    context = ssl.create_default_context(cafile=aiomongo_certs.ca_path)
    context.load_cert_chain(me.path)
    with serving(aiomongo_certs) as server:
        bare = f"mongodb://{server.address}/?tls=true&authMechanism=MONGODB-X509"
        diagnosis = await diagnose(bare, tls_identity=Provider())
        assert diagnosis.worst is Severity.INFO, diagnosis
        assert {"client-certificate", "authorities"} <= {finding.reason for finding in diagnosis.findings}
        assert_no_secret(diagnosis, "PRIVATE KEY")
        diagnosis = await diagnose(bare, ssl_context=context)
        assert diagnosis.worst is Severity.INFO, diagnosis
        diagnosis = await diagnose(bare, tls_identity=Away())
        assert (fault(diagnosis).check, fault(diagnosis).reason) == (Check.FILES, "identity-unavailable")
        assert_no_secret(diagnosis, "s3cr3t")


async def test_a_client_that_looks_like_a_member(aiomongo_certs: CertKit) -> None:
    """The same O and OU as the server's: the login works here, but need not elsewhere."""
    me = aiomongo_certs.client(subject="CN=ada,OU=servers,O=aiomongo_tls tests")
    with serving(aiomongo_certs, users=[me]) as server:
        assert "looks-like-member" in (await diagnose(server.uri(client=me))).reasons()


async def test_options_that_give_up_verification(aiomongo_certs: CertKit) -> None:
    """They are worth a warning, and what they hide is told."""
    certificate = aiomongo_certs.server("db.example.net", expired=True)
    with serving(aiomongo_certs, certificate=certificate) as server:
        uri = server.uri(client=aiomongo_certs.client("ada"))
        diagnosis = await diagnose(uri, tlsAllowInvalidCertificates=True)
        assert diagnosis.reasons() == {"verification-off", "certificate-expired", "hostname-mismatch"}
        assert not diagnosis.errors
    with serving(aiomongo_certs, certificate=aiomongo_certs.server("db.example.net")) as server:
        diagnosis = await diagnose(server.uri(client=aiomongo_certs.client("ada")), tlsAllowInvalidHostnames=True)
        assert diagnosis.reasons() == {"hostname-check-off", "hostname-mismatch"}


# Peers that are no MongoDB server


async def test_a_name_that_does_not_exist() -> None:
    """The look-up has its own finding."""

    def lookup(_host: str, _port: int) -> list[Endpoint]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    world = World(lookup=RecordedLookup(lookup), mountinfo="")
    diagnosis = await examine("mongodb://db.example.net/?tls=true", world=world)
    assert (fault(diagnosis).check, fault(diagnosis).reason) == (Check.DNS, "name-not-found")


async def test_name_servers_that_do_not_answer() -> None:
    """The look-up has its share of the time."""
    gate = threading.Event()

    def lookup(_host: str, _port: int) -> list[Endpoint]:
        gate.wait()
        return []

    world = World(lookup=RecordedLookup(lookup), mountinfo="")
    diagnosis = await examine("mongodb://db.example.net/?tls=true", world=world, timeout=2)
    gate.set()
    assert (fault(diagnosis).check, fault(diagnosis).reason) == (Check.DNS, "dns-timeout")


async def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    """A path in place of a host."""
    found = fault(await diagnose(f"mongodb://{str(tmp_path / 'mongodb.sock').replace('/', '%2F')}"))
    assert (found.check, found.reason) == (Check.TCP, "no-such-socket")


async def test_revocation(aiomongo_certs: CertKit) -> None:
    """A certificate that was revoked, and a responder that cannot be asked."""
    with OCSPResponder(aiomongo_certs) as responder:
        certificate = aiomongo_certs.server("127.0.0.1", ocsp=responder.url)
        with serving(aiomongo_certs, certificate=certificate) as server:
            assert (await diagnose(server.uri(), tlsRevocation="hard")).worst is Severity.INFO
        revoked = aiomongo_certs.crl(revoked=[certificate])
        with serving(aiomongo_certs, certificate=certificate) as server:
            assert fault(await diagnose(server.uri(), tlsCRLFile=revoked)).reason == "revoked"
    unreachable = aiomongo_certs.server("127.0.0.1", "localhost", ocsp="http://127.0.0.1:9/")
    with serving(aiomongo_certs, certificate=unreachable) as server:
        found = fault(await diagnose(server.uri(), tlsRevocation="hard"))
        assert (found.check, found.reason) == (Check.TLS, "revocation-unknown")


async def test_a_port_on_which_nothing_listens() -> None:
    """Refused at once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = fault(await diagnose(f"mongodb://127.0.0.1:{taken.getsockname()[1]}"))
    assert (found.check, found.reason) == (Check.TCP, "connection-refused")
    assert "Connection refused" in (found.found or "")


@pytest.mark.parametrize(
    ("where", "check", "reason"),
    [
        ("accept", Check.TLS, "handshake-timeout"),
        ("handshake", Check.TLS, "handshake-timeout"),
        ("hello", Check.HELLO, "hello-timeout"),
    ],
)
async def test_a_silent_peer(where: Any, check: Check, reason: str, aiomongo_certs: CertKit) -> None:
    """Where it stopped is told within the time limit, and not in terms of an option that nobody has set."""
    with serving(aiomongo_certs) as server:
        server.stalls(where)
        began = time.monotonic()
        diagnosis = await diagnose(server.uri(), timeout=3)
        assert time.monotonic() - began < 3 + LATE
    found = fault(diagnosis)
    assert (found.check, found.reason) == (check, reason)
    assert "connectTimeoutMS" not in str(found)
    # What went well before is told, too.
    assert (Check.TLS in checks(diagnosis)[: checks(diagnosis).index(found.check)]) is (where == "hello")


async def test_a_peer_that_speaks_something_else(aiomongo_certs: CertKit) -> None:
    """An HTTP server, with and without TLS on our side; a MongoDB server without TLS."""

    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async with raw_peer(http) as address:
        found = fault(await diagnose(f"mongodb://{address}/"))
        assert (found.check, found.reason) == (Check.HELLO, "not-mongodb")
        found = fault(await diagnose(f"mongodb://{address}/", tls=True, tlsCAFile=aiomongo_certs.ca_path))
        assert (found.check, found.reason) == (Check.TLS, "not-tls")
        assert "HTTP" in (found.found or "")
    with MongoTestServer(tls="off") as server:
        found = fault(await diagnose(server.uri(), tls=True, tlsCAFile=aiomongo_certs.ca_path))
        assert (found.check, found.reason) == (Check.TLS, "not-tls")
        assert (await diagnose(server.uri())).worst is Severity.INFO


async def test_a_peer_that_hangs_up() -> None:
    """In place of an answer to hello."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async with raw_peer(hang_up) as address:
        found = fault(await diagnose(f"mongodb://{address}/"))
        assert (found.check, found.reason) == (Check.HELLO, "connection-lost")


async def test_a_peer_with_odd_answers() -> None:
    """A server that is too old, one whose clock is wrong, and one that does not answer a ping."""
    async with mongo_peer() as peer:
        hello = dict(MongoPeer().answer({"hello": 1}) or {})  # type: ignore[call-overload]
        peer.answers["hello"] = hello | {"maxWireVersion": 5}
        found = (await diagnose(f"mongodb://{peer.address}/")).errors
        assert [finding.check for finding in found] == [Check.HELLO]
        peer.answers["hello"] = hello
        peer.answers["ping"] = {"ok": 0, "code": 8, "errmsg": "no"}
        assert fault(await diagnose(f"mongodb://{peer.address}/")).reason == "ping-failed"
        peer.answers["ping"] = None
        assert fault(await diagnose(f"mongodb://{peer.address}/", timeout=2)).reason == "ping-timeout"
        peer.answers["hello"] = {"ok": 0, "code": 8, "errmsg": "no"}
        assert fault(await diagnose(f"mongodb://{peer.address}/")).reason == "hello-failed"


async def test_more_silent_peers_than_are_examined_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing takes longer than the limit; those whose turn does not come have a finding, too."""
    monkeypatch.setattr(examination, "AT_ONCE", 1)

    async def silence(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None: ...

    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(raw_peer(silence)) for _ in range(12)]
        began = time.monotonic()
        diagnosis = await diagnose(f"mongodb://{','.join(map(str, peers))}/", timeout=2)
        assert time.monotonic() - began < 2 + LATE
    assert [finding.host for finding in diagnosis.errors] == peers
    assert diagnosis.reasons() == {"hello-timeout", "out-of-time"}


# SRV


async def test_srv_records(aiomongo_certs: CertKit) -> None:
    """They lead to the server; without them, or with records that lead elsewhere, that is the finding."""

    def lookup(_host: str, port: int) -> list[Endpoint]:
        return [Endpoint(socket.AF_INET, ("127.0.0.1", port))]

    me = aiomongo_certs.client("ada")
    certificate = aiomongo_certs.server("db1.cluster.example.net")
    async with dns_server() as dns:
        world = World(srv_resolver=DNSResolver(dns.resolver), lookup=RecordedLookup(lookup), mountinfo="")
        uri = "mongodb+srv://cluster.example.net/?authMechanism=MONGODB-X509"
        files = {"tlsCAFile": aiomongo_certs.ca_path, "tlsCertificateKeyFile": me.path}
        found = fault(await examine(uri, world=world, **files))
        assert (found.check, found.reason, found.host) == (Check.DNS, "srv-unusable", None)
        with serving(aiomongo_certs, certificate=certificate) as server:
            dns.records["_mongodb._tcp.cluster.example.net", "SRV"] = [
                f"0 0 {server.address.port} db1.cluster.example.net."
            ]
            diagnosis = await examine(uri.replace("cluster.example", "Cluster.example"), world=world, **files)
            assert diagnosis.worst is Severity.INFO, diagnosis
            assert "db1.cluster.example.net" in str(diagnosis)
            dns.records["_mongodb._tcp.cluster.example.net", "SRV"] = ["0 0 27017 db1.evil.example."]
            assert fault(await examine(uri, world=world, **files)).reason == "srv-unusable"
        dns.is_silent = True
        found = fault(await examine(uri, world=world, timeout=2, **files))
        assert (found.check, found.reason) == (Check.DNS, "dns-timeout")


# This machine


async def test_offline(aiomongo_certs: CertKit, tmp_path: Path) -> None:
    """No server is asked; files are looked into."""
    ada = aiomongo_certs.client("ada")
    with serving(aiomongo_certs) as server:
        diagnosis = await diagnose(server.uri(), offline=True)
        assert diagnosis.worst is Severity.INFO
        assert checks(diagnosis) == [Check.ENVIRONMENT, Check.URI, Check.FILES]
        assert server.commands == []
        assert server.failed_handshakes == []
    empty = tmp_path / "ca.crt"
    empty.touch()
    diagnosis = await diagnose("mongodb://h/?tls=true", offline=True, tlsCAFile=empty, tlsCertificateKeyFile=ada.path)
    assert fault(diagnosis).reason == "file-empty"
    assert "cert-manager" in (fault(diagnosis).fix or "")


async def test_faults_of_files(aiomongo_certs: CertKit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault is found, not only the first one."""
    ada, eve = aiomongo_certs.client("ada"), aiomongo_certs.client("eve")
    (tmp_path / "chain.pem").write_bytes(ada.certificate_chain_pem)
    (tmp_path / "key.pem").write_bytes(eve.private_key_pem)
    diagnosis = await diagnose(
        "mongodb://h/?tls=true&authMechanism=MONGODB-X509",
        offline=True,
        tlsCAFile=tmp_path / "ca.pem",
        tlsCertificateFile=tmp_path / "chain.pem",
        tlsCertificateKeyFile=tmp_path / "key.pem",
        tlsCRLFile=tmp_path / "chain.pem",
    )
    assert [finding.reason for finding in diagnosis.errors] == ["file-not-found", "key-mismatch", "crl-missing"]
    really = Path.open

    def closed(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == "key.pem":
            raise PermissionError(13, "Permission denied")
        return really(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", closed)
    found = fault(await diagnose("mongodb://h/?tls=true", offline=True, tlsCertificateKeyFile=tmp_path / "key.pem"))
    assert found.reason == "file-unreadable"
    for part in ("key.pem", "uid", "mode 0"):
        assert part in found.title


async def test_a_secret_that_kubernetes_never_updates(aiomongo_certs: CertKit) -> None:
    """A subPath mount is recognised from what the kernel says."""
    key = aiomongo_certs.client("ada").path
    mountinfo = f"30 21 0:50 /..2025_11_21_21_00_00.1234567/tls.pem {Path(key).resolve()} ro - tmpfs tmpfs rw\n"
    run = Examination(World(mountinfo=mountinfo)).run
    diagnosis = await run("mongodb://h/?tls=true", {"tlsCertificateKeyFile": key}, offline=True)
    assert fault(diagnosis).reason == "subpath-mount"
    assert key in fault(diagnosis).title


async def test_options_that_cannot_be() -> None:
    """They end the examination, and no part of a password is shown."""
    for uri in ("mongodb://ada:s3cr3t/w@h/", "mongodb://ada:s3cr3t@h/?tls=true&tls=false", "mongodb://ada:s3cr3t:@@h"):
        diagnosis = await diagnose(uri)
        assert fault(diagnosis).check is Check.URI
        assert_no_secret(diagnosis, "s3cr3t")
    assert fault(await diagnose("mongodb://ada:p/w@h/")).reason == "invalid-uri"
    found = fault(await diagnose("mongodb://h", offline=True, tlsCAFiel="ca.pem"))  # type: ignore[call-arg]
    assert (found.reason, "tlsCAFile" in str(found)) == ("invalid-options", True)


async def test_old_names_and_clear_text(aiomongo_certs: CertKit) -> None:
    """Former names of options, options that mean nothing, and no TLS to another machine are worth a warning."""
    diagnosis = await diagnose(f"mongodb://h/?ssl_ca_certs={aiomongo_certs.ca_path}&nonsense=1", offline=True)
    assert diagnosis.reasons() == {"deprecated-option", "doubtful-option"}
    (old,) = [finding for finding in diagnosis.warnings if finding.reason == "deprecated-option"]
    assert (old.title, old.fix) == ("ssl_ca_certs is a former name", "use tlsCAFile")
    assert (await diagnose("mongodb://h", offline=True)).reasons() == {"no-tls"}
    assert (await diagnose("mongodb://localhost,127.0.0.2", offline=True)).reasons() == set()


async def test_without_cryptography(aiomongo_certs: CertKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """That certificates cannot be looked into is a finding; all else goes on."""
    with serving(aiomongo_certs) as server:
        uri = server.uri()
        monkeypatch.setitem(sys.modules, "cryptography", None)
        diagnosis = await diagnose(uri)
    found = fault(diagnosis)
    assert (found.reason, found.fix) == ("extra-missing", 'pip install "aiomongo-tls[x509]"')
    assert Check.PING in checks(diagnosis)


async def test_a_file_that_never_ends(tmp_path: Path) -> None:
    """Reading it is given up with everything else."""
    pipe = tmp_path / "ca.pem"
    os.mkfifo(pipe)
    diagnosis = await diagnose("mongodb://h/?tls=true", tlsCAFile=pipe, timeout=2)
    # Lets the thread go that still reads.
    pipe.write_bytes(b"")
    found = fault(diagnosis)
    assert (found.check, found.reason) == (Check.FILES, "out-of-time")


async def test_a_password_function_that_never_answers(aiomongo_certs: CertKit) -> None:
    """Files have no longer than everything else."""
    me = aiomongo_certs.client("ada", password="correct horse")
    gate = asyncio.Event()

    async def password() -> str:
        await gate.wait()
        return ""

    began = time.monotonic()
    diagnosis = await diagnose(
        "mongodb://h/?tls=true", tlsCertificateKeyFile=me.path, tlsCertificateKeyFilePassword=password, timeout=2
    )
    assert time.monotonic() - began < 2 + LATE
    assert fault(diagnosis).check is Check.FILES


async def test_nothing_is_left(aiomongo_certs: CertKit) -> None:
    """No task is left behind, whether the server is healthy or not."""
    with serving(aiomongo_certs) as server:
        await diagnose(server.uri())
        assert len(asyncio.all_tasks()) == 1
        await diagnose(server.uri(client=None))
        assert len(asyncio.all_tasks()) == 1


async def test_a_diagnosis_that_is_cancelled() -> None:
    """It ends at once and leaves nothing."""
    asked = asyncio.Event()

    async def take_note(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        asked.set()

    async with raw_peer(take_note) as address:
        before = asyncio.all_tasks()
        task = asyncio.create_task(diagnose(f"mongodb://{address}/"))
        async with asyncio.timeout(5):
            await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not [each for each in asyncio.all_tasks() - before if "doctor" in each.get_name()]


def assert_no_secret(diagnosis: Diagnosis, secret: str) -> None:
    """A secret stands in no field of any finding."""
    for finding in diagnosis.findings:
        assert secret not in repr(dataclasses.astuple(finding))
