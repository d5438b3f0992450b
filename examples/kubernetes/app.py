"""A service in Kubernetes whose certificate is a mounted secret: three files that are replaced while it runs.

    export MONGODB_URI="mongodb://db.example.net/?authMechanism=MONGODB-X509" MONGODB_TLS=/etc/mongodb-tls
    uvicorn --app-dir examples/kubernetes app:app

`/live` asks nobody: a database that is away is no reason to restart this process. `/ready` asks the database, for half
a second at most. `/metrics` tells Prometheus when the certificate in use expires; that it is not the renewed one, or
that nobody renews it, shows there (and in the log) before it is too late.
"""

import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response

from aiomongo_tls import AsyncClient, MongoError, TLSStatus

TLS = Path(os.environ.get("MONGODB_TLS", "/etc/mongodb-tls"))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # Without I/O: the process is alive before the database is there, and connects at the first use.
    client: AsyncClient[Any] = AsyncClient(
        os.environ["MONGODB_URI"],
        tlsCAFile=TLS / "ca.crt",
        tlsCertificateFile=TLS / "tls.crt",
        tlsCertificateKeyFile=TLS / "tls.key",
    )
    async with aclosing(client):
        app.state.mongo = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/live")
async def live() -> dict[str, bool]:
    return {"live": True}


@app.get("/ready")
async def ready(request: Request, response: Response) -> dict[str, Any]:
    try:
        await request.app.state.mongo.ping(timeoutMS=500)
    except MongoError as error:
        response.status_code = 503
        return {"ready": False, "because": str(error)}
    return {"ready": True}


@app.get("/metrics")
async def metrics(request: Request) -> Response:
    return Response(exposition(request.app.state.mongo.tls_status()), media_type="text/plain; version=0.0.4")


def exposition(status: TLSStatus) -> str:
    """The state of the certificate in Prometheus' text format; nothing is known of it before the first use."""
    lines: list[str] = []

    def gauge(name: str, text: str, value: float) -> None:
        lines.extend((f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {value:.0f}"))

    if status.not_after is not None:
        at = status.not_after.timestamp()
        gauge("mongodb_client_certificate_not_after_seconds", "When the certificate in use expires (Unix time).", at)
    if status.last_reload is not None:
        at = status.last_reload.timestamp()
        gauge("mongodb_client_certificate_last_reload_seconds", "When it was last renewed (Unix time).", at)
    text = "1 if the mounted files hold another certificate than the one in use."
    gauge("mongodb_client_certificate_on_disk_differs", text, status.on_disk_differs)
    return "".join(f"{line}\n" for line in lines)
