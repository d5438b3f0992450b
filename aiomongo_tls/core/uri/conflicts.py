"""Options that contradict each other, by the specifications; the same rules for a URI and for the merged options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiomongo_tls.core.uri.registry import OPTIONS
from aiomongo_tls.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at.

    Args:
        values: the options that were given, by canonical name.
        hosts: how many hosts were named.
        is_srv: whether they come from a mongodb+srv look-up.
    """

    values: Mapping[str, Any]
    hosts: int
    is_srv: bool

    def given(self, *names: str) -> bool:
        """Whether all of these options were given."""
        return all(name in self.values for name in names)

    def on(self, *names: str) -> bool:
        """Whether all of these options are true, or positive numbers."""
        return all(self.values.get(name, 0) is True or self.values.get(name, 0) > 0 for name in names)

    @property
    def asks_responders(self) -> bool:
        """Whether OCSP responders are to be asked."""
        return bool(self.values.get("tlsRevocation", "off") != "off")


def _names_nothing(option: str, facts: Facts) -> bool:
    return facts.given("tlsServerNames", option) and facts.on(option)


# What is wrong, in words, and how to see it. Presence beside each other is in the rows (`excludes`).
_RULES: Final[tuple[tuple[str, Callable[[Facts], bool]], ...]] = (
    # uri-options specification, "directConnection URI option with multiple seeds or SRV URI"
    ("directConnection=true goes with one host only", lambda f: f.on("directConnection") and f.hosts > 1),
    ("directConnection=true cannot be used with mongodb+srv://", lambda f: f.on("directConnection") and f.is_srv),
    # load balancers specification, "URI Validation"
    ("loadBalanced=true goes with one host only", lambda f: f.on("loadBalanced") and f.hosts > 1),
    (
        "loadBalanced=true and replicaSet contradict each other",
        lambda f: f.on("loadBalanced") and f.given("replicaSet"),
    ),
    ("loadBalanced=true and directConnection=true contradict", lambda f: f.on("loadBalanced", "directConnection")),
    ("loadBalanced=true and srvMaxHosts contradict each other", lambda f: f.on("loadBalanced", "srvMaxHosts")),
    # initial DNS seedlist discovery specification, "URI Validation"
    ("srvServiceName goes with mongodb+srv:// only", lambda f: f.given("srvServiceName") and not f.is_srv),
    ("srvMaxHosts goes with mongodb+srv:// only", lambda f: f.given("srvMaxHosts") and not f.is_srv),
    ("srvMaxHosts and replicaSet contradict each other", lambda f: f.on("srvMaxHosts") and f.given("replicaSet")),
    # SOCKS5 specification, "MongoClient Configuration"
    ("proxyPort needs proxyHost", lambda f: f.given("proxyPort") and not f.given("proxyHost")),
    ("proxyUsername needs proxyHost", lambda f: f.given("proxyUsername") and not f.given("proxyHost")),
    ("proxyPassword needs proxyHost", lambda f: f.given("proxyPassword") and not f.given("proxyHost")),
    ("proxyUsername needs proxyPassword", lambda f: f.given("proxyUsername") and not f.given("proxyPassword")),
    ("proxyPassword needs proxyUsername", lambda f: f.given("proxyPassword") and not f.given("proxyUsername")),
    # read and write concern specification, "Inconsistent WriteConcern"
    ("w=0 (no answer) and journal=true contradict each other", lambda f: f.values.get("w") == 0 and f.on("journal")),
    ("fsync=true and journal=true contradict each other; use journal", lambda f: f.on("fsync", "journal")),
    # connection monitoring and pooling specification, "Connection Pool Options"
    (
        "minPoolSize is greater than maxPoolSize",
        lambda f: f.values.get("minPoolSize", 0) > (f.values.get("maxPoolSize", 100) or f.values.get("minPoolSize", 0)),
    ),
    # Ours, for PyMongo's options: a bound on something that does not happen.
    (
        "srvAllowedHostsSuffix goes with mongodb+srv:// only",
        lambda f: f.given("srvAllowedHostsSuffix") and not f.is_srv,
    ),
    ("srv_host_validator goes with mongodb+srv:// only", lambda f: f.given("srv_host_validator") and not f.is_srv),
    # Ours: names that nothing is compared with.
    *(
        (f"tlsServerNames and {name}=true contradict each other", partial(_names_nothing, name))
        for name in ("tlsInsecure", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames")
    ),
    # Ours: a revocation list that nothing looks at.
    ("tlsCRLFile and tlsInsecure=true contradict each other", lambda f: f.given("tlsCRLFile") and f.on("tlsInsecure")),
    (
        "tlsCRLFile and tlsAllowInvalidCertificates=true contradict each other",
        lambda f: f.given("tlsCRLFile") and f.on("tlsAllowInvalidCertificates"),
    ),
    (
        "tlsCRLFile and tlsDisableCertificateRevocationCheck=true contradict each other",
        lambda f: f.given("tlsCRLFile") and f.on("tlsDisableCertificateRevocationCheck"),
    ),
    # OCSP support specification, "How OCSP interacts with existing configuration options". "soft" beside one of the two
    # tlsDisable* is no contradiction: one environment of many may have no way to the responders.
    (
        "tlsRevocation and tlsInsecure=true contradict each other",
        lambda f: f.asks_responders and f.on("tlsInsecure"),
    ),
    (
        "tlsRevocation and tlsAllowInvalidCertificates=true contradict each other",
        lambda f: f.asks_responders and f.on("tlsAllowInvalidCertificates"),
    ),
    (
        "tlsRevocation=hard and tlsDisableOCSPEndpointCheck=true contradict each other",
        lambda f: f.values.get("tlsRevocation") == "hard" and f.on("tlsDisableOCSPEndpointCheck"),
    ),
    (
        "tlsRevocation=hard and tlsDisableCertificateRevocationCheck=true contradict each other",
        lambda f: f.values.get("tlsRevocation") == "hard" and f.on("tlsDisableCertificateRevocationCheck"),
    ),
)


def check_conflicts(facts: Facts) -> None:
    """Refuse options that contradict each other.

    Raises:
        ConfigurationError: two of them do; the message names both.
    """
    for name in facts.values:
        for other in OPTIONS[name].excludes:
            if other in facts.values:
                raise ConfigurationError(f"{name} and {other} cannot be given together, whatever their values")
    for problem, applies in _RULES:
        if applies(facts):
            raise ConfigurationError(problem)
