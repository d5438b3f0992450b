"""A test of your own code against a server that demands certificates; the certificates come from your trustme CA.

pytest examples/test_with_trustme.py
"""

from collections.abc import Iterator

import pytest
import trustme

from aiomongo_tls import AsyncClient, ServerCertificateError
from aiomongo_tls.testing import CertKit, MongoTestServer


@pytest.fixture(scope="module")
def certs() -> CertKit:
    return CertKit(ca=trustme.CA())


@pytest.fixture
def server(certs: CertKit) -> Iterator[MongoTestServer]:
    with MongoTestServer(ca=certs, users=["CN=billing,O=Example"]) as server:
        yield server


@pytest.mark.asyncio
async def test_billing_may_write(certs: CertKit, server: MongoTestServer) -> None:
    billing = certs.client(subject="CN=billing,O=Example")
    async with AsyncClient.connect(server.uri(client=billing)) as client:
        await client["shop"]["invoices"].insert_one({"_id": 1, "total": 42})
        assert await client["shop"]["invoices"].find_one({"_id": 1}) == {"_id": 1, "total": 42}


@pytest.mark.asyncio
async def test_a_stranger_is_told_why(certs: CertKit, server: MongoTestServer) -> None:
    billing = certs.client(subject="CN=billing,O=Example")
    with pytest.raises(ServerCertificateError) as caught:
        await AsyncClient.connect(server.uri(client=billing, tlsCAFile=str(certs.stranger().ca_path)))
    assert caught.value.reason == "unknown-ca"
