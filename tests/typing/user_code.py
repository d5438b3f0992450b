"""Code as users write it, checked by mypy strict and pyright strict; it is never run.

What editors infer is pinned with `assert_type`. A line that must not be accepted carries an ignore, and both checkers
report an ignore that is not needed.
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict, assert_type

from bson import CodecOptions, ObjectId
from bson.raw_bson import RawBSONDocument

from aiomongo_tls import (
    ASCENDING,
    AsyncClient,
    AsyncCollection,
    AsyncDatabase,
    AsyncMongoClient,
    BulkWriteError,
    Check,
    ConfigurationError,
    DeleteOne,
    Diagnosis,
    IndexModel,
    InsertOne,
    ReadPreference,
    ReturnDocument,
    ServerCertificateError,
    Severity,
    TLSError,
    TLSIdentity,
    TLSIdentityProvider,
    UpdateOne,
    WriteConcern,
    diagnose,
    timeout,
)
from aiomongo_tls.testing import CertKit, MongoTestServer

Document = dict[str, Any]


class User(TypedDict):
    """What documents of users look like."""

    _id: int
    name: str


class Vault:
    """A provider needs no base class."""

    async def identity(self) -> TLSIdentity:
        return TLSIdentity(key=Path("me.pem"), password=vault_password, refresh_after=60)


class Plain:
    """Not a provider: it would block."""

    def identity(self) -> TLSIdentity:
        return TLSIdentity(key=b"", password=lambda: "x", refresh_after=datetime.now(UTC))


async def vault_password() -> str:
    return "secret"


async def connecting(uri: str, context: ssl.SSLContext) -> None:
    client = await AsyncClient.connect(uri)
    assert_type(client, AsyncClient[Document])
    await client.close()
    async with AsyncClient.connect(uri, tlsCAFile=Path("ca.pem"), tlsCertificateKeyFilePassword=lambda: b"") as client:
        assert_type(await client.ping(timeoutMS=500), Document)
        assert_type(client.tls_status().not_after, datetime | None)
    async with AsyncClient.connect(uri, tls_identity=Vault(), tlsServerNames={"127.0.0.1": "db.example.net"}) as client:
        assert_type(client, AsyncClient[Document])
        async with client.with_identity(tlsCertificateKeyFile=Path("tenant.pem"), username=None) as tenant:
            assert_type(tenant, AsyncClient[Document])
    provider: TLSIdentityProvider = Vault()
    assert_type(await provider.identity(), TLSIdentity)
    provider = Plain()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    async with AsyncMongoClient(uri, ssl_context=context, maxPoolSize=10) as lazy:
        assert_type(lazy["app"], AsyncDatabase[Document])
    task = asyncio.create_task(AsyncClient.connect(uri, document_class=RawBSONDocument))
    assert_type(await task, AsyncClient[RawBSONDocument])


async def documents(client: AsyncClient[Document]) -> None:
    users: AsyncCollection[Document] = client["app"]["users"]
    assert_type(client.app.users, AsyncCollection[Document])
    assert_type(await users.find_one({"_id": 1}), Document | None)
    assert_type((await users.insert_one({"name": "Ada"})).inserted_id, Any)
    assert_type((await users.insert_many([{"n": 1}])).inserted_ids, list[Any])
    assert_type((await users.update_one({}, {"$set": {"n": 1}})).modified_count, int)
    assert_type(await users.count_documents({}), int)
    assert_type(await users.find({}).sort("name", ASCENDING).limit(3).to_list(), list[Document])
    async for user in users.find({}, {"name": 1}):
        assert_type(user, Document)
    async for group in await users.aggregate([{"$group": {"_id": "$name"}}]):
        assert_type(group, Document)
    await users.find_one_and_update({}, {"$inc": {"n": 1}}, return_document=ReturnDocument.AFTER)
    await users.bulk_write([InsertOne({"_id": 1}), UpdateOne({}, {"$set": {"a": 1}}), DeleteOne({"_id": ObjectId()})])
    await users.create_indexes([IndexModel([("name", ASCENDING)], unique=True)])
    await users.with_options(write_concern=WriteConcern("majority"), read_preference=ReadPreference.NEAREST).drop()
    with timeout(0.5):
        await client.ping()


async def failing(users: AsyncCollection[Document]) -> None:
    try:
        await users.insert_many([{"_id": 1}, {"_id": 1}], ordered=False)
    except BulkWriteError as error:
        assert_type([failed["index"] for failed in error.details["writeErrors"]], list[Any])


async def typed_documents(users: AsyncCollection[User]) -> None:
    user = await users.find_one({"_id": 1})
    assert_type(user, User | None)
    await users.insert_one({"_id": 1, "name": "Ada"})


async def without_parameters(client: AsyncClient, users: AsyncCollection) -> None:
    assert_type(await users.find_one(), Document | None)
    assert_type(client["app"]["users"], AsyncCollection[Document])
    raw = users.with_options(CodecOptions(document_class=RawBSONDocument))
    assert_type(await raw.find_one(), RawBSONDocument | None)
    assert_type(await client["app"].command("ping"), Document)
    assert_type(
        await client["app"].command("ping", codec_options=CodecOptions(document_class=RawBSONDocument)),
        RawBSONDocument,
    )


async def what_went_wrong(uri: str) -> str:
    try:
        await AsyncClient.connect(uri)
    except ServerCertificateError as error:
        assert_type(error.reason, str)
        assert_type(error.hint, str | None)
        return error.reason
    except TLSError as error:
        return str(error.__cause__)
    except (ConfigurationError, TimeoutError, ConnectionError) as error:
        return str(error)
    return ""


async def what_is_wrong(uri: str) -> list[str]:
    diagnosis = await diagnose(uri, timeout=5, tlsCAFile="ca.pem")
    assert_type(diagnosis, Diagnosis)
    assert_type(diagnosis.worst, Severity)
    return [finding.fix or finding.title for finding in diagnosis.errors if finding.check is Check.TLS]


async def testing(kit: CertKit) -> None:
    with MongoTestServer(ca=kit, users=[kit.client("ada"), "CN=bob,O=Example"]) as server:
        server.on("find").fails(11600)
        async with server.connect(client=kit.client("ada")) as client:
            assert_type(client, AsyncClient[Document])


async def mistakes(uri: str, users: AsyncCollection[Document]) -> None:
    await AsyncClient.connect(uri, tlsCaFile="ca.pem")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await AsyncClient.connect(uri, maxPoolSize="10")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    # PyMongo's methods that are not here yet: to a type checker they are collections, which cannot be called.
    users.watch()  # type: ignore[operator]  # pyright: ignore[reportCallIssue]
    await users.find_one({}, session=users)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
