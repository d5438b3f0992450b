"""The operations whose effort is guarded, against an embedded server, over TLS with a client certificate.

python tests/support/hot_path.py             # the numbers for the table of tests/benchmarks/test_hot_path.py
python tests/support/hot_path.py --layers    # and where they come from
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from effort import Effort, effort

from aiomongo_tls import AsyncClient
from aiomongo_tls.testing import CertKit, MongoTestServer

DOCUMENTS = 100
BOUNDS = Path(__file__).parents[1] / "benchmarks" / "hot_path.json"


async def efforts() -> dict[str, Effort]:
    """What each operation takes in the client."""
    # The loop's debug mode (`-X dev`) does much more.
    asyncio.get_running_loop().set_debug(False)
    certs = CertKit()
    me = certs.client("guard")
    with MongoTestServer(ca=certs, users=[me]) as server:
        async with (
            AsyncClient.connect(server.uri(client=me)) as client,
            AsyncClient.connect(server.uri(client=me, timeoutMS=60_000)) as timed,
        ):
            collection, many, timed_collection = client["app"]["one"], client["app"]["many"], timed["app"]["one"]
            await collection.insert_one({"_id": 1, "n": 0})
            documents: list[dict[str, Any]] = [{"n": n} for n in range(DOCUMENTS)]
            await many.insert_many([{"_id": n, "n": n} for n in range(DOCUMENTS)])

            async def drain() -> None:
                async for _ in many.find({}):
                    pass

            return {
                "find_one": await effort(lambda: collection.find_one({"_id": 1})),
                "find_one, timeoutMS": await effort(lambda: timed_collection.find_one({"_id": 1})),
                "insert_one": await effort(lambda: collection.insert_one({"n": 1})),
                "update_one": await effort(lambda: collection.update_one({"_id": 1}, {"$inc": {"n": 1}})),
                "find, 100": await effort(drain),
                "insert_many, 100": await effort(lambda: collection.insert_many([d.copy() for d in documents])),
            }


def main() -> None:
    """Print them, and write them where they are wanted."""
    found = asyncio.run(efforts())
    counts = {name: [its.instructions.total(), its.calls.total()] for name, its in found.items()}
    for name, (instructions, calls) in counts.items():
        print(f"{name:20} {instructions:6} instructions {calls:5} calls")
    if "--renew" in sys.argv:
        bounds = json.loads(BOUNDS.read_text(encoding="utf-8")) if BOUNDS.exists() else {}
        bounds[f"{sys.version_info[0]}.{sys.version_info[1]}"] = counts
        lines = (f"  {json.dumps(version)}: {json.dumps(bounds[version])}" for version in sorted(bounds))
        BOUNDS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    if "--layers" in sys.argv:
        for name, its in found.items():
            print(f"\n{name}: instructions, calls")
            for layer, (instructions, calls) in its.by_layer().items():
                print(f"  {layer:18} {instructions:6} {calls:5}")


if __name__ == "__main__":
    main()
