"""One service, several tenants: each with a certificate of its own, over one topology.

    python examples/tenants.py

Needs `pip install "aiomongo-tls[testing]"` and no MongoDB server: an embedded one is started, which knows two of three
tenants. The servers are watched once, however many tenants there are; connections and sessions are never shared.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiomongo_tls import AsyncClient, AuthenticationFailed
from aiomongo_tls.testing import CertKit, MongoTestServer

Client = AsyncClient[dict[str, Any]]


class Tenants:
    """The clients of a service: its own, and one for each request of a tenant."""

    def __init__(self, uri: str, certificates: Path) -> None:
        # The 8 tenants that were used last keep their connections between two requests.
        self.service: Client = AsyncClient(uri, maxIdleIdentities=8)
        self.certificates = certificates

    @asynccontextmanager
    async def client_of(self, tenant: str) -> AsyncGenerator[Client, None]:
        """A client that is this tenant to the server."""
        pem = self.certificates / f"{tenant}.pem"
        # When the file is renewed, only this tenant's connections are made anew.
        async with self.service.with_identity(tlsCertificateKeyFile=str(pem)) as client:
            yield client


async def take_order(tenants: Tenants, tenant: str, item: str) -> None:
    """A request of a tenant, which the database attributes and restricts to that tenant."""
    async with tenants.client_of(tenant) as client:
        await client["shop"][tenant].insert_one({"item": item})
        print(f"{tenant}: {item}, written as {client.tls_status().user}")


async def main() -> None:
    certs = CertKit()
    known = [certs.client(name) for name in ("service", "acme", "globex")]
    with MongoTestServer(ca=certs, users=known) as server, tempfile.TemporaryDirectory() as directory:
        for name in ("acme", "globex", "hooli"):
            certs.client(name).write(directory, f"{name}.pem")
        tenants = Tenants(server.uri(client=known[0]), Path(directory))
        async with tenants.service:
            await asyncio.gather(take_order(tenants, "acme", "anvil"), take_order(tenants, "globex", "volcano"))
            try:
                await take_order(tenants, "hooli", "box")
            except AuthenticationFailed as error:
                # At once, and nobody else has noticed.
                print(f"hooli: refused, {error.reason}")
            await take_order(tenants, "acme", "rocket")
            logins = {command.connection_id for command in server.commands if command.user == known[1].subject}
            print(f"acme logged in {len(logins)} time for 2 requests")


if __name__ == "__main__":
    asyncio.run(main())
