"""Revocation lists (tlsCRLFile) over real sockets, TLS 1.2 and 1.3: each refusal has a twin that connects."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from aiomongo_tls import AsyncClient, ServerCertificateError
from aiomongo_tls.testing import Certificate, CertKit, MongoTestServer

AT_ONCE = 1.0  # seconds
NAMES = ("localhost", "127.0.0.1")
NOW = datetime.now(UTC)


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    """Each test runs with both protocol versions."""
    return {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[request.param]


@contextmanager
def serving(certs: CertKit, version: ssl.TLSVersion, certificate: Certificate) -> Iterator[MongoTestServer]:
    with MongoTestServer(ca=certs, certificate=certificate, minimum_version=version, maximum_version=version) as server:
        yield server


async def connects(server: MongoTestServer, **options: Any) -> None:
    async with AsyncClient.connect(server.uri(), **options) as client:
        await client.ping()


async def refused(server: MongoTestServer, **options: Any) -> ServerCertificateError:
    with pytest.raises(ServerCertificateError) as caught:
        async with asyncio.timeout(AT_ONCE):
            await connects(server, **options)
    error = caught.value
    assert error.host == server.address
    assert error.hint
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)
    return error


async def test_a_revoked_certificate_is_refused(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """By a list of the authority that issued it; a list without it lets it in."""
    certificate = aiomongo_certs.server(*NAMES)
    with serving(aiomongo_certs, version, certificate) as server:
        error = await refused(server, tlsCRLFile=aiomongo_certs.crl(revoked=[certificate]))
        assert error.reason == "revoked"
        assert "CN=localhost" in str(error.presented)
        await connects(server, tlsCRLFile=aiomongo_certs.crl(revoked=[aiomongo_certs.server("gone.example.net")]))


async def test_an_intermediate_authority_is_looked_at_where_the_lists_reach_up_to_the_root(
    version: ssl.TLSVersion, aiomongo_certs: CertKit
) -> None:
    """With the leaf's list alone its authority's own revocation does not show; with the root's list it does."""
    kit = aiomongo_certs
    leaf_only = kit.crl(intermediate=True)
    with serving(kit, version, kit.server(*NAMES, intermediate=True)) as server:
        await connects(server, tlsCRLFile=leaf_only)
        await connects(server, tlsCRLFile=leaf_only + kit.crl())
        error = await refused(server, tlsCRLFile=leaf_only + kit.crl(revoke_intermediate=True))
        assert error.reason == "revoked"
        # The same, with the intermediate authority among the trusted ones.
        chain = kit.server(*NAMES, intermediate=True).certificate_chain_pem
        both = kit.ca_pem + chain[chain.rindex(b"-----BEGIN") :]
        await connects(server, tlsCAFile=both, tlsCRLFile=leaf_only + kit.crl())
        error = await refused(server, tlsCAFile=both, tlsCRLFile=leaf_only + kit.crl(revoke_intermediate=True))
        assert error.reason == "revoked"


async def test_a_revoked_leaf_is_found_whichever_lists_are_there(
    version: ssl.TLSVersion, aiomongo_certs: CertKit
) -> None:
    """The leaf is looked at in either case."""
    kit, certificate = aiomongo_certs, aiomongo_certs.server(*NAMES, intermediate=True)
    with serving(kit, version, certificate) as server:
        for more in (b"", kit.crl()):
            lists = kit.crl(revoked=[certificate], intermediate=True) + more
            assert (await refused(server, tlsCRLFile=lists)).reason == "revoked"


async def test_a_list_that_is_not_there_is_called_that(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """Another authority's list says nothing about this certificate, and the message says whose is wanted."""
    kit = aiomongo_certs
    with serving(kit, version, kit.server(*NAMES)) as server:
        error = await refused(server, tlsCRLFile=kit.stranger().crl())
        assert error.reason == "crl-missing"
        assert "tlsCRLFile" in str(error.hint)
        await connects(server, tlsCRLFile=kit.stranger().crl() + kit.crl())
    with serving(kit, version, kit.server(*NAMES, intermediate=True)) as server:
        assert (await refused(server, tlsCRLFile=kit.crl())).reason == "crl-missing"


@pytest.mark.parametrize(
    "times", [{"next_update": NOW - timedelta(minutes=1)}, {"last_update": NOW + timedelta(minutes=30)}]
)
async def test_a_list_that_is_out_of_date_is_called_that(
    version: ssl.TLSVersion, aiomongo_certs: CertKit, times: dict[str, datetime]
) -> None:
    """Who was revoked since is not on it."""
    kit = aiomongo_certs
    with serving(kit, version, kit.server(*NAMES)) as server:
        error = await refused(server, tlsCRLFile=kit.crl(**times))
        assert error.reason == "crl-expired"
        assert "clock" in str(error.hint)
        await connects(server, tlsCRLFile=kit.crl())


async def test_a_list_by_somebody_else_in_the_name_of_the_authority(
    version: ssl.TLSVersion, aiomongo_certs: CertKit
) -> None:
    """What a stranger signs in an authority's name is not taken for its list."""
    kit = aiomongo_certs
    issuer = x509.load_pem_x509_certificate(kit.ca_pem)
    key = serialization.load_pem_private_key(kit.stranger().ca.private_key_pem.bytes(), None)
    forged = x509.load_pem_x509_crl(kit.crl())
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
    builder = builder.last_update(NOW - timedelta(hours=1)).next_update(NOW + timedelta(hours=1))
    assert forged.signature_hash_algorithm is not None
    signed = builder.sign(key, forged.signature_hash_algorithm)  # type: ignore[arg-type]
    with serving(kit, version, kit.server(*NAMES)) as server:
        error = await refused(server, tlsCRLFile=signed.public_bytes(serialization.Encoding.PEM))
        assert error.reason == "crl-invalid"
        await connects(server, tlsCRLFile=kit.crl())


async def test_a_file_in_der(version: ssl.TLSVersion, aiomongo_certs: CertKit, tmp_path: Path) -> None:
    """As authorities publish it."""
    kit = aiomongo_certs
    certificate, path = kit.server(*NAMES), tmp_path / "authority.crl"
    with serving(kit, version, certificate) as server:
        for revoked, reason in (([certificate], "revoked"), ([], None)):
            crl = x509.load_pem_x509_crl(kit.crl(revoked=revoked))
            path.write_bytes(crl.public_bytes(serialization.Encoding.DER))
            if reason is not None:
                assert (await refused(server, tlsCRLFile=path)).reason == reason
            else:
                # The file has changed, and a new client reads it anew.
                await connects(server, tlsCRLFile=path)


async def test_nothing_is_checked_where_that_is_switched_off(version: ssl.TLSVersion, aiomongo_certs: CertKit) -> None:
    """Only a list and the switch together are a contradiction."""
    certificate = aiomongo_certs.server(*NAMES)
    with serving(aiomongo_certs, version, certificate) as server:
        await connects(server, tlsDisableCertificateRevocationCheck=True)
        with pytest.raises(ValueError, match="tlsCRLFile and tlsDisableCertificateRevocationCheck"):
            await connects(server, tlsCRLFile=aiomongo_certs.crl(), tlsDisableCertificateRevocationCheck=True)


async def test_the_list_of_a_client_says_nothing_about_clients(
    version: ssl.TLSVersion, aiomongo_certs: CertKit
) -> None:
    """Whether a client's certificate was revoked is the server's business."""
    me = aiomongo_certs.client("ada")
    with MongoTestServer(ca=aiomongo_certs, users=[me], minimum_version=version, maximum_version=version) as server:
        await connects(server, tlsCRLFile=aiomongo_certs.crl(revoked=[me]))
