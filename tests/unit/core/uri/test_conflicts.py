"""Options that contradict each other."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from aiomongo_tls.core.uri.conflicts import Facts, check_conflicts
from aiomongo_tls.errors import ConfigurationError

INSECURE = (
    "tlsInsecure",
    "tlsAllowInvalidCertificates",
    "tlsAllowInvalidHostnames",
    "tlsDisableOCSPEndpointCheck",
    "tlsDisableCertificateRevocationCheck",
)
# The only pairs of these that the specification lets stand beside each other.
COMPATIBLE = {frozenset({"tlsAllowInvalidHostnames", other}) for other in INSECURE if other != "tlsInsecure"}


def check(values: dict[str, Any], hosts: int = 1, is_srv: bool = False) -> None:
    check_conflicts(Facts(values, hosts, is_srv))


@pytest.mark.parametrize(("one", "other"), list(permutations(INSECURE, 2)))
@pytest.mark.parametrize("value", [True, False])
def test_insecure_options_beside_each_other(one: str, other: str, value: bool) -> None:
    """Presence alone counts, in either order."""
    if frozenset({one, other}) in COMPATIBLE:
        check({one: value, other: value})
        return
    with pytest.raises(ConfigurationError) as caught:
        check({one: value, other: value})
    assert one in str(caught.value)
    assert other in str(caught.value)


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"directConnection": True}, {"hosts": 2}),
        ({"directConnection": True}, {"is_srv": True}),
        ({"loadBalanced": True}, {"hosts": 2}),
        ({"loadBalanced": True, "replicaSet": "rs"}, {}),
        ({"loadBalanced": True, "directConnection": True}, {}),
        ({"loadBalanced": True, "srvMaxHosts": 1}, {"is_srv": True}),
        ({"srvServiceName": "x"}, {}),
        ({"srvMaxHosts": 0}, {}),
        ({"srvMaxHosts": 1, "replicaSet": "rs"}, {"is_srv": True}),
        ({"proxyPort": 1}, {}),
        ({"proxyHost": "p", "proxyUsername": "u"}, {}),
        ({"proxyHost": "p", "proxyPassword": "u"}, {}),
        ({"proxyUsername": "u", "proxyPassword": "p"}, {}),
        ({"w": 0, "journal": True}, {}),
        ({"fsync": True, "journal": True}, {}),
        ({"minPoolSize": 101}, {}),
        ({"minPoolSize": 6, "maxPoolSize": 5}, {}),
        ({"tlsCRLFile": "crl", "tlsInsecure": True}, {}),
        ({"tlsCRLFile": "crl", "tlsAllowInvalidCertificates": True}, {}),
        ({"tlsCRLFile": "crl", "tlsDisableCertificateRevocationCheck": True}, {}),
        ({"tlsRevocation": "soft", "tlsInsecure": True}, {}),
        ({"tlsRevocation": "hard", "tlsAllowInvalidCertificates": True}, {}),
        ({"tlsRevocation": "hard", "tlsDisableOCSPEndpointCheck": True}, {}),
        ({"tlsRevocation": "hard", "tlsDisableCertificateRevocationCheck": True}, {}),
        ({"read_preference": object(), "readPreference": "primary"}, {}),
    ],
)
def test_contradictions(values: dict[str, Any], where: dict[str, Any]) -> None:
    """What contradicts is refused, naming an option that was given."""
    with pytest.raises(ConfigurationError) as caught:
        check(values, **where)
    assert any(name in str(caught.value) for name in values)


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({}, {"hosts": 3}),
        ({"directConnection": False}, {"hosts": 2}),
        ({"directConnection": False}, {"is_srv": True}),
        ({"loadBalanced": False, "replicaSet": "rs"}, {"hosts": 2}),
        ({"loadBalanced": True, "srvMaxHosts": 0}, {"is_srv": True}),
        ({"srvMaxHosts": 0, "replicaSet": "rs", "srvServiceName": "x"}, {"is_srv": True}),
        ({"proxyHost": "p", "proxyPort": 1, "proxyUsername": "u", "proxyPassword": "p"}, {}),
        ({"w": 0, "journal": False}, {}),
        ({"minPoolSize": 500, "maxPoolSize": 0}, {}),
        ({"tlsCRLFile": "crl", "tlsInsecure": False}, {}),
        ({"tlsInsecure": True}, {}),
        ({"tlsRevocation": "off", "tlsInsecure": True}, {}),
        ({"tlsRevocation": "hard", "tlsInsecure": False}, {}),
        ({"tlsRevocation": "soft", "tlsDisableOCSPEndpointCheck": True}, {}),
        ({"tlsRevocation": "soft", "tlsDisableCertificateRevocationCheck": True}, {}),
        ({"tlsRevocation": "hard", "tlsDisableOCSPEndpointCheck": False}, {}),
    ],
)
def test_what_goes_together(values: dict[str, Any], where: dict[str, Any]) -> None:
    """The neighbours of the contradictions are fine."""
    check(values, **where)
