"""What DNS answers, made into options; the prose tests of the initial DNS seedlist discovery specification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.client_options import ClientOptions
from aiomongo_tls.core.options.srv_options import SRVOptions
from aiomongo_tls.core.uri.resolve import resolve
from aiomongo_tls.core.uri.srv import SRVRecords, complete_options, rescan_interval, sort_hosts
from aiomongo_tls.errors import ConfigurationError, InvalidURI

CLUSTER = "mongodb+srv://c.example.net"


def addresses(*hosts: str) -> tuple[ServerAddress, ...]:
    return tuple(ServerAddress(host, 27017 + number) for number, host in enumerate(hosts))


def records(*hosts: str, ttl: float = 300) -> SRVRecords:
    return SRVRecords(targets=addresses(*hosts), ttl=ttl)


def last(seeds: Sequence[ServerAddress], count: int) -> list[ServerAddress]:
    """A sample that is no chance."""
    return list(seeds[-count:])


def complete(uri: str, hosts: Sequence[str], *txt: bytes | Sequence[bytes], **keywords: Any) -> ClientOptions:
    strings = [[record] if isinstance(record, bytes) else record for record in txt]
    return complete_options(resolve(uri, keywords), records(*hosts), strings, sample=last)


def test_seeds() -> None:
    """The hosts of the answer are the seeds, in their order, each once; nothing else changes."""
    pending = resolve(f"{CLUSTER}/app", {"maxPoolSize": 3})
    seeds = (ServerAddress("b.example.net", 5), ServerAddress("a.example.net"), ServerAddress("a.example.net", 5))
    options = complete_options(pending, SRVRecords(targets=(*seeds, seeds[0]), ttl=1), (), sample=last)
    assert options.seeds == seeds
    assert options.srv == pending.srv
    assert (options.database, options.pool, options.tls) == (pending.database, pending.pool, pending.tls)


@pytest.mark.parametrize("uri", ["mongodb+srv://localhost", "mongodb+srv://mongo.local"])
def test_names_of_one_and_two_parts(uri: str) -> None:
    """Prose test 1: a short name is looked up like any other, and its hosts are below it."""
    host = uri.removeprefix("mongodb+srv://")
    assert complete(uri, [f"a.{host}", f"b.a.{host}"]).seeds == addresses(f"a.{host}", f"b.a.{host}")


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        # Prose test 2: another domain.
        ("mongodb+srv://localhost", "localhost.mongodb"),
        ("mongodb+srv://mongo.local", "test_1.evil.local"),
        ("mongodb+srv://blogs.mongodb.com", "blogs.evil.com"),
        # Prose test 3: the name itself, where it is the domain.
        ("mongodb+srv://localhost", "localhost"),
        ("mongodb+srv://mongo.local", "mongo.local"),
        # Prose test 4: no dot between host and domain.
        ("mongodb+srv://localhost", "test_1.cluster_1localhost"),
        ("mongodb+srv://mongo.local", "test_1.my_hostmongo.local"),
        ("mongodb+srv://blogs.mongodb.com", "cluster.testmongodb.com"),
        # The domain itself, its parent, an address, and RFC 2782's "no such service".
        ("mongodb+srv://blogs.mongodb.com", "mongodb.com"),
        ("mongodb+srv://blogs.mongodb.com", "com"),
        ("mongodb+srv://blogs.mongodb.com", "127.0.0.1"),
        ("mongodb+srv://blogs.mongodb.com", ""),
    ],
)
def test_hosts_elsewhere(uri: str, host: str) -> None:
    """A host outside of the domain is an error that names host, domain and mend, also among others that are fine."""
    fine = f"a.{uri.removeprefix('mongodb+srv://')}"
    with pytest.raises(ConfigurationError, match=f"SRV record for {host}:27018.*not below .*srvAllowedHostsSuffix"):
        complete(uri, [fine, host])


def test_a_host_that_is_the_name_itself() -> None:
    """A name of three parts or more may be one of its own hosts: it is below its domain."""
    assert complete(CLUSTER, ["c.example.net"]).seeds == addresses("c.example.net")


def test_no_service() -> None:
    """A record with port 0 says that there is none."""
    with pytest.raises(ConfigurationError, match="its port is 0"):
        complete_options(resolve(CLUSTER, {}), SRVRecords(targets=(ServerAddress("", 0),), ttl=1), (), sample=last)


def test_no_records() -> None:
    """An answer without hosts is an error with the name that was asked for."""
    with pytest.raises(ConfigurationError, match=r"_db\._tcp\.c\.example\.net has no SRV records"):
        complete(CLUSTER, [], srvServiceName="db")


@pytest.mark.parametrize(
    ("host", "is_accepted"),
    [
        ("a.other.example.org", True),
        ("a.b.other.example.org", True),
        ("other.example.org", False),
        ("another.example.org", False),
        ("a.example.net", False),
    ],
)
def test_allowed_hosts_suffix(host: str, is_accepted: bool) -> None:
    """The suffix takes the place of the domain."""
    srv = SRVOptions(host="c.example.net", allowed_hosts_suffix="other.example.org")
    hosts = sort_hosts(srv, addresses(host))
    assert (hosts.accepted, list(hosts.refused)) == ((addresses(host), []) if is_accepted else ((), [*addresses(host)]))


@pytest.mark.parametrize(
    ("validator", "problem"),
    [
        (lambda host: host == "a.b", None),
        (lambda _host: False, "srv_host_validator said False"),
        (lambda _host: None, "srv_host_validator returned a NoneType where True or False was expected"),
        (lambda host: host[99], "srv_host_validator raised IndexError: string index out of range"),
    ],
)
def test_host_validator(validator: Any, problem: str | None) -> None:
    """The validator takes the place of the domain; only True is a yes."""
    hosts = sort_hosts(SRVOptions(host="c.example.net", host_validator=validator), addresses("a.b"))
    assert hosts.refused == ({} if problem is None else {ServerAddress("a.b"): problem})
    assert hosts.accepted == (addresses("a.b") if problem is None else ())


@pytest.mark.parametrize(("limit", "first"), [(0, 0), (1, 2), (2, 1), (3, 0), (4, 0)])
def test_srv_max_hosts(limit: int, first: int) -> None:
    """At most so many hosts, by chance; all of them if there are no more."""
    hosts = ["a.example.net", "b.example.net", "c.example.net"]
    assert complete(CLUSTER, hosts, srvMaxHosts=limit).seeds == addresses(*hosts)[first:]


@pytest.mark.parametrize(
    "record",
    [
        b"replicaSet=rs0&authSource=staff",
        [b"replicaS", b"et=rs0&auth", b"Source=staff"],
        b"REPLICASET=rs0;authsource=st%61ff",
    ],
)
def test_txt_record(record: bytes | Sequence[bytes]) -> None:
    """The strings of one record are joined and read like the query of a URI."""
    options = complete("mongodb+srv://ada:pw@c.example.net/app", ["a.example.net"], record)
    assert options.replica_set == "rs0"
    assert options.credential is not None
    assert (options.credential.source, options.credential.username, options.database) == ("staff", "ada", "app")


def test_txt_load_balanced() -> None:
    """A TXT record can say that the host is a load balancer."""
    assert complete(CLUSTER, ["a.example.net"], b"loadBalanced=true").load_balanced
    assert not complete(CLUSTER, ["a.example.net"], b"").load_balanced


@pytest.mark.parametrize("in_uri", [True, False])
def test_the_user_wins_over_the_txt_record(in_uri: bool) -> None:
    """What the URI or a keyword says stays, also where it is what would hold anyway."""
    said = {"replicaSet": "mine", "authSource": "mine", "loadBalanced": False}
    query = "&".join(f"{name}={str(value).replace('False', 'false')}" for name, value in said.items())
    options = complete(
        f"mongodb+srv://ada:pw@c.example.net/{'?' + query if in_uri else ''}",
        ["a.example.net"],
        b"replicaSet=theirs&authSource=theirs&loadBalanced=true",
        **({} if in_uri else said),
    )
    assert options.credential is not None
    assert (options.replica_set, options.credential.source, options.load_balanced) == ("mine", "mine", False)


def test_a_source_that_is_fixed() -> None:
    """The certificate's user lives in $external, whatever the TXT record says for users with passwords."""
    options = complete(
        f"{CLUSTER}/?authMechanism=MONGODB-X509",
        ["a.example.net"],
        b"authSource=admin&replicaSet=rs0",
        tlsCertificateKeyFile="me.pem",
    )
    assert options.credential is not None
    assert (options.credential.source, options.replica_set) == ("$external", "rs0")


def test_a_source_for_nobody() -> None:
    """An authSource in the TXT record is no request to authenticate."""
    assert complete(CLUSTER, ["a.example.net"], b"authSource=admin").credential is None


@pytest.mark.parametrize(
    ("txt", "says"),
    [
        ([b"replicaSet=a", b"authSource=b"], "has 2 TXT records"),
        ([b"v=spf1 -all"], "option 1 of the TXT record of c.example.net is none of authSource, replicaSet, loadBal"),
        ([b"replicaSet=a&socketTimeoutMS=500"], "option 2 of the TXT record"),
        ([b"ssl=false"], "option 1 of the TXT record"),
        ([b"tls=true"], "option 1 of the TXT record"),
        ([b"authSource="], "authSource is empty"),
        ([b"authSource"], "option 1 of the TXT record of c.example.net is not key=value"),
        ([b"authSource=a&replicaSet=b;"], "the TXT record of c.example.net are separated by both"),
        ([b"replicaSet=\xff"], "is not UTF-8"),
    ],
)
def test_wrong_txt_records(txt: list[bytes], says: str) -> None:
    """A TXT record with anything else in it is an error that says where it stands."""
    with pytest.raises(ConfigurationError, match=says):
        complete(CLUSTER, ["a.example.net"], *txt)


def test_malformed_txt_record_is_malformed_uri() -> None:
    """It is read by the same rules."""
    with pytest.raises(InvalidURI):
        complete(CLUSTER, ["a.example.net"], b"replicaSet")


def test_unusable_value_in_txt_record_warns() -> None:
    """An unusable value warns and is ignored, as in a URI, and the warning says where it stands."""
    with pytest.warns(UserWarning, match="loadBalanced in the TXT record of c.example.net is ignored: expected true"):
        assert not complete(CLUSTER, ["a.example.net"], b"loadBalanced=maybe").load_balanced


@pytest.mark.parametrize(
    ("hosts", "txt", "keywords", "says"),
    [
        (
            2,
            b"loadBalanced=true",
            {},
            "one host only; DNS has 2 hosts for c.example.net, and a TXT record with loadBal",
        ),
        (2, b"", {"loadBalanced": True}, "one host only; DNS has 2 hosts for c.example.net$"),
        (1, b"replicaSet=a", {"loadBalanced": True}, "loadBalanced=true and replicaSet contradict"),
        (1, b"loadBalanced=true", {"replicaSet": "a"}, "loadBalanced=true and replicaSet contradict"),
        (1, b"replicaSet=a", {"srvMaxHosts": 1}, "srvMaxHosts and replicaSet contradict each other; DNS has 1 host f"),
        (1, b"loadBalanced=true", {"srvMaxHosts": 1}, "loadBalanced=true and srvMaxHosts contradict"),
    ],
)
def test_contradictions_with_dns(hosts: int, txt: bytes, keywords: dict[str, Any], says: str) -> None:
    """The options are checked again with what DNS has added to them."""
    with pytest.raises(ConfigurationError, match=says):
        complete(CLUSTER, [f"{'abc'[n]}.example.net" for n in range(hosts)], txt, **keywords)


def test_nothing_to_look_up() -> None:
    """Options of another scheme have nothing to complete."""
    with pytest.raises(ValueError, match="nothing to look up"):
        complete_options(ClientOptions(), records("a"), (), sample=last)


@pytest.mark.parametrize(("ttl", "seconds"), [(0, 60), (59.9, 60), (60, 60), (61, 61), (86400, 86400)])
def test_rescan_interval(ttl: float, seconds: float) -> None:
    """As long as the answer holds, but a minute at least."""
    assert rescan_interval(records(ttl=ttl)) == seconds
