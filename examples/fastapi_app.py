"""A FastAPI service: one client for the life of the application.

    MONGODB_URI="mongodb://..." uvicorn --app-dir examples fastapi_app:app

A service with a wrong certificate does not start, and its log says why.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request

from aiomongo_tls import AsyncClient, AsyncCollection, DuplicateKeyError

Document = dict[str, Any]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncClient.connect(os.environ["MONGODB_URI"]) as client:
        app.state.mongo = client
        yield


app = FastAPI(lifespan=lifespan)


def users(request: Request) -> AsyncCollection[Document]:
    return request.app.state.mongo["app"]["users"]


Users = Annotated[AsyncCollection[Document], Depends(users)]


@app.get("/ready")
async def ready(request: Request) -> Document:
    await request.app.state.mongo.ping()
    return {"ready": True}


@app.put("/users/{name}", status_code=201)
async def add_user(name: str, users: Users) -> Document:
    try:
        await users.insert_one({"_id": name})
    except DuplicateKeyError:
        raise HTTPException(409, f"{name} exists") from None
    return {"name": name}


@app.get("/users/{name}")
async def get_user(name: str, users: Users) -> Document:
    if (user := await users.find_one({"_id": name})) is None:
        raise HTTPException(404, f"nobody is called {name}")
    return {"name": user["_id"]}
