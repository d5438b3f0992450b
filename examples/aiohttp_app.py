"""An aiohttp service: one client for the life of the application.

MONGODB_URI="mongodb://..." python examples/aiohttp_app.py
"""

import os
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from aiomongo_tls import AsyncClient

MONGO: web.AppKey[AsyncClient[dict[str, Any]]] = web.AppKey("MONGO", AsyncClient)


async def mongo(app: web.Application) -> AsyncIterator[None]:
    async with AsyncClient.connect(os.environ["MONGODB_URI"]) as client:
        app[MONGO] = client
        yield


async def count_visit(request: web.Request) -> web.Response:
    pages = request.app[MONGO]["app"]["pages"]
    page = await pages.find_one_and_update(
        {"_id": request.match_info["page"]}, {"$inc": {"visits": 1}}, upsert=True, return_document=True
    )
    return web.json_response({"page": page["_id"], "visits": page["visits"]})


def create_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(mongo)
    app.router.add_get("/pages/{page}", count_visit)
    return app


if __name__ == "__main__":
    web.run_app(create_app(), port=8080)
