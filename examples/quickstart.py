"""The shortest whole program: a server with fresh certificates, a client that proves who it is, a few documents.

    python examples/quickstart.py

Needs `pip install "aiomongo-tls[testing]"`, no MongoDB server.
"""

import asyncio

from aiomongo_tls import ASCENDING, AsyncClient
from aiomongo_tls.testing import CertKit, MongoTestServer


async def main() -> None:
    certs = CertKit()
    me = certs.client("ada")
    with MongoTestServer(ca=certs, users=[me]) as server:
        async with AsyncClient.connect(server.uri(client=me)) as client:
            inventory = client["shop"]["inventory"]
            await inventory.insert_many([{"_id": n, "item": f"part {n}", "stock": n % 7} for n in range(1000)])
            await inventory.create_index([("stock", ASCENDING)])
            await inventory.update_many({"stock": 0}, {"$set": {"reorder": True}})

            print("to reorder:", await inventory.count_documents({"reorder": True}))
            async for part in inventory.find({"stock": 0}).sort("_id", ASCENDING).limit(3):
                print(part)


if __name__ == "__main__":
    asyncio.run(main())
