"""The deciding half of `mongodb+srv://`: what DNS answers, made into the options of a client.

    ClientOptions without seeds --(SRV and TXT records)--> complete_options() --> ClientOptions with seeds
    SRV records while the client runs -------------------> sort_hosts(), rescan_interval()

Specifications: initial DNS seedlist discovery; polling SRV records for mongos discovery. What a user gave wins over the
TXT record, so that the options that are known before the look-up never change, except that a replica set's name, a load
balancer or the database of a credential can be added to them.

One thing is kinder than the specification: where a mechanism has only one source (MONGODB-X509: `$external`), an
`authSource` in the TXT record is meant for users with passwords and does not turn it into a contradiction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from aiomongo_tls.core.options.srv_options import TXT_OPTIONS, SRVOptions
from aiomongo_tls.core.uri.conflicts import Facts, check_conflicts
from aiomongo_tls.core.uri.mechanisms import MECHANISMS
from aiomongo_tls.core.uri.notices import Notices
from aiomongo_tls.core.uri.query import QueryReader
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from aiomongo_tls.address import ServerAddress
    from aiomongo_tls.core.options.client_options import ClientOptions
    from aiomongo_tls.core.options.credential import MongoCredential

MIN_RESCAN: Final = 60.0
"""Seconds between two look-ups at least, while they succeed."""

Sample = Callable[[Sequence["ServerAddress"], int], list["ServerAddress"]]
"""Chooses so many of these by chance, each equally likely; `random.sample`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SRVRecords:
    """The SRV records of a name.

    Args:
        targets: the hosts in the order of the answer, in lower case and without a final dot. Priorities and weights
            do not count.
        ttl: seconds that the answer holds, the least of all records.
    """

    targets: tuple[ServerAddress, ...]
    ttl: float


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts of an answer, sorted.

    Args:
        accepted: those that may be connected to, each once.
        refused: what is wrong with each of the others.
    """

    accepted: tuple[ServerAddress, ...]
    refused: Mapping[ServerAddress, str]


def sort_hosts(srv: SRVOptions, targets: Iterable[ServerAddress]) -> Hosts:
    """Tell the hosts that may be connected to from those that may not.

    Args:
        srv: the look-up; its suffix or validator takes the place of the rule about the parent domain.
        targets: the hosts in the SRV records.
    """
    problems = {target: _problem(srv, target) for target in targets}
    accepted = tuple(target for target, problem in problems.items() if problem is None)
    return Hosts(accepted, {target: problem for target, problem in problems.items() if problem is not None})


def complete_options(
    pending: ClientOptions, records: SRVRecords, txt: Sequence[Sequence[bytes]], *, sample: Sample
) -> ClientOptions:
    """Put what DNS says into the options of a `mongodb+srv://` client.

    Args:
        pending: the options, with `srv` and without seeds.
        records: the SRV records.
        txt: the TXT records of the host, each the strings that it consists of.
        sample: chooses the seeds if there are more than `srvMaxHosts`.

    Returns:
        The options with seeds.

    Raises:
        ConfigurationError: there is no host; a host is not of the domain; there are several TXT records; a TXT record
            has an option that has no place there, is malformed, or contradicts the other options.
    """
    srv = pending.srv
    if srv is None:
        raise ValueError("there is nothing to look up: the scheme is not mongodb+srv")
    seeds = _seeds(srv, records)
    found = _read_txt(srv, txt)
    replica_set = found.get("replicaSet", pending.replica_set)
    load_balanced = found.get("loadBalanced", pending.load_balanced)
    _check_together(srv, len(seeds), found, replica_set, load_balanced)
    return replace(
        pending,
        seeds=tuple(sample(seeds, srv.max_hosts)) if 0 < srv.max_hosts < len(seeds) else seeds,
        replica_set=replica_set,
        load_balanced=load_balanced,
        credential=_sourced(pending.credential, found.get("authSource")),
    )


def rescan_interval(records: SRVRecords) -> float:
    """Seconds from the end of one successful look-up to the next."""
    return max(MIN_RESCAN, records.ttl)


def _seeds(srv: SRVOptions, records: SRVRecords) -> tuple[ServerAddress, ...]:
    hosts = sort_hosts(srv, records.targets)
    for target, problem in hosts.refused.items():
        raise ConfigurationError(
            f"{srv.query_name} has an SRV record for {target}, which is not connected to: {problem}"
        )
    if not hosts.accepted:
        raise ConfigurationError(f"{srv.query_name} has no SRV records; check the name, or use mongodb://")
    return hosts.accepted


def _problem(srv: SRVOptions, target: ServerAddress) -> str | None:
    if not target.port:
        # RFC 2782 has the lone dot for "there is no such service"; its port is 0 as a rule.
        return "its port is 0"
    if srv.host_validator is not None:
        return _objection(srv.host_validator, target.host)
    if srv.allowed_hosts_suffix is not None:
        domain, because = srv.allowed_hosts_suffix, "as srvAllowedHostsSuffix has it"
    else:
        parts = srv.host.split(".")
        # A name of one or two parts is the domain itself; of longer ones the first part only names the cluster.
        domain = ".".join(parts[1:]) if len(parts) > 2 else srv.host
        because = f"the domain of {srv.host}; if it is meant to be elsewhere, give srvAllowedHostsSuffix"
    # The dot keeps out evilexample.net, and the domain itself.
    return None if target.host.endswith(f".{domain}") else f"it is not below {domain}, {because}"


def _objection(validator: Callable[[str], object], host: str) -> str | None:
    try:
        verdict = validator(host)
    except Exception as exc:  # noqa: BLE001 - the user's function; whatever it raises is a no
        return f"srv_host_validator raised {type(exc).__name__}: {exc}"
    if not isinstance(verdict, bool):
        return f"srv_host_validator returned a {type(verdict).__name__} where True or False was expected"
    return None if verdict else "srv_host_validator said False"


def _read_txt(srv: SRVOptions, txt: Sequence[Sequence[bytes]]) -> dict[str, Any]:
    """The options of the TXT record that the user did not give."""
    where = f"the TXT record of {srv.host}"
    if len(txt) > 1:
        raise ConfigurationError(f"{srv.host} has {len(txt)} TXT records, and only one is allowed beside SRV records")
    try:
        text = b"".join(strings for record in txt for strings in record).decode()
    except UnicodeDecodeError as exc:
        raise ConfigurationError(f"{where} is not UTF-8") from exc
    notices = Notices()
    settings = QueryReader(notices, where=where, only=TXT_OPTIONS).read(text)
    notices.emit()
    return {name: value for name, value in settings.values().items() if name not in srv.given}


def _check_together(
    srv: SRVOptions, hosts: int, found: Mapping[str, Any], replica_set: str | None, load_balanced: bool
) -> None:
    values: dict[str, Any] = {"srvMaxHosts": srv.max_hosts, "loadBalanced": load_balanced}
    if replica_set is not None:
        values["replicaSet"] = replica_set
    try:
        check_conflicts(Facts(values, hosts, is_srv=True))
    except ConfigurationError as exc:
        said = f", and a TXT record with {', '.join(found)}" if found else ""
        raise ConfigurationError(f"{exc}; DNS has {hosts} host{'s' * (hosts > 1)} for {srv.host}{said}") from None


def _sourced(credential: MongoCredential | None, source: str | None) -> MongoCredential | None:
    if credential is None or source is None or MECHANISMS[credential.mechanism or "DEFAULT"].source_is_fixed:
        return credential
    return replace(credential, source=source)
