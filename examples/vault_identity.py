"""An identity that is issued on demand, as HashiCorp Vault's PKI engine does it; no key is ever written to a disk.

    python examples/vault_identity.py

Needs `pip install "aiomongo-tls[testing]"`, no MongoDB server and no Vault: `stand_in()` answers as Vault does. With a
real one, `VaultIdentity("https://vault.example.net:8200", token, "app")` is all that stays of this file.
"""

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiomongo_tls import AsyncClient, ConfigurationError, TLSIdentity
from aiomongo_tls.testing import CertKit, MongoTestServer

TOKEN = "s.3fYq"


class VaultIdentity:
    """A provider: one method, that asks Vault's PKI engine for a certificate."""

    def __init__(self, url: str, token: str, role: str) -> None:
        self.url = f"{url}/v1/pki/issue/{role}"
        self.token = token

    async def identity(self) -> TLSIdentity:
        """A new certificate with its key, and whom to trust."""
        # urllib blocks, so it has a thread; with aiohttp or httpx this would be an await.
        answer = await asyncio.to_thread(self._issue)
        data = answer["data"]
        return TLSIdentity(
            key=data["private_key"],
            chain="\n".join([data["certificate"], *data.get("ca_chain", [])[:-1]]),
            ca=data["issuing_ca"],
            # Two thirds of its life: enough time to ask again where Vault is away for a while.
            refresh_after=answer["lease_duration"] * 2 / 3,
        )

    def _issue(self) -> Any:
        body = json.dumps({"common_name": "orders"}).encode()
        request = urllib.request.Request(self.url, body, {"X-Vault-Token": self.token})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            # Vault has answered: asking again would not help. Whatever is raised here is the cause of what users see.
            with error:
                raise PermissionError(f"Vault says {error.code}") from None
        except urllib.error.URLError as error:
            # Vault is away: `connect()` asks again until its time is up.
            raise ConnectionError(f"Vault cannot be reached: {error.reason}") from error


@contextmanager
def stand_in(certs: CertKit) -> Iterator[str]:
    """Answer as Vault's PKI engine does, from a thread; gives the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["X-Vault-Token"] != TOKEN:
                self.answer(403, {"errors": ["permission denied"]})
                return
            issued = certs.client(json.loads(content)["common_name"])
            data = {
                "private_key": issued.private_key_pem.decode(),
                "certificate": issued.certificate_chain_pem.decode(),
                "issuing_ca": certs.ca_pem.decode(),
            }
            self.answer(200, {"lease_duration": 3600, "data": data})

        def answer(self, status: int, document: dict[str, Any]) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


async def main() -> None:
    certs = CertKit()
    with MongoTestServer(ca=certs, users=[certs.client("orders")]) as server, stand_in(certs) as url:
        uri = f"mongodb://{server.address}/?authMechanism=MONGODB-X509"
        vault = VaultIdentity(url, TOKEN, "app")
        print("the provider gives", await vault.identity())
        async with AsyncClient.connect(uri, tls_identity=vault) as client:
            status = await client.admin.command("connectionStatus")
            print("connected as", status["authInfo"]["authenticatedUsers"][0]["user"])

        try:
            await AsyncClient.connect(uri, tls_identity=VaultIdentity(url, "revoked", "app"))
        except ConfigurationError as error:
            print(f"refused: {error}\n  because: {error.__cause__}")


if __name__ == "__main__":
    asyncio.run(main())
