"""SCRAM between our client, our server and PyMongo: the prose tests of the authentication specification, and more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pymongo
import pymongo.errors
import pytest

from aiomongo_tls import AsyncClient, AuthenticationFailed, ClientCertificateRejected, OperationFailure
from aiomongo_tls.testing import CertKit, MongoTestServer, User

SHA_1, SHA_256 = "SCRAM-SHA-1", "SCRAM-SHA-256"

# "Prose Tests", step 1: users that have one, the other, and both.
ONE = User("sha1", "sha1", mechanisms=(SHA_1,))
TWO = User("sha256", "sha256", mechanisms=(SHA_256,))
BOTH = User("both", "both")
# Step 4: names and passwords that SASLprep would change.
ROMAN = User("IX", "IX", mechanisms=(SHA_256,))
SIGN = User("\u2168", "\u2163", mechanisms=(SHA_256,))
ESCAPED = User("a,b=c@d:e/f", "p%+w,=:@/", database="app")

LogIn = Callable[[str], Awaitable[None]]


async def ours(uri: str) -> None:
    async with AsyncClient.connect(uri, serverSelectionTimeoutMS=5000) as client:
        await client.app.users.find_one()


async def pymongos(uri: str) -> None:
    with pymongo.MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=5000) as client:
        client.app.users.find_one()


async def async_pymongos(uri: str) -> None:
    async with pymongo.AsyncMongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=5000) as client:
        await client.app.users.find_one()


every_client = pytest.mark.parametrize("log_in", [ours, pymongos, async_pymongos])
REFUSED = (OperationFailure, pymongo.errors.OperationFailure)

pytestmark = pytest.mark.aiomongo(tls="require", users=[BOTH, ONE, TWO, ROMAN, SIGN, ESCAPED])


@every_client
@pytest.mark.parametrize(
    ("user", "mechanism", "used"),
    [
        (ONE, SHA_1, SHA_1),
        (ONE, None, SHA_1),
        (ONE, "DEFAULT", SHA_1),
        (TWO, SHA_256, SHA_256),
        (TWO, None, SHA_256),
        (BOTH, SHA_1, SHA_1),
        (BOTH, SHA_256, SHA_256),
        (BOTH, None, SHA_256),
        (ESCAPED, SHA_1, SHA_1),
        (ESCAPED, SHA_256, SHA_256),
        (ESCAPED, None, SHA_256),
    ],
    ids=lambda value: value.name if isinstance(value, User) else str(value),
)
async def test_mechanisms(
    aiomongo_server: MongoTestServer, log_in: LogIn, user: User, mechanism: str | None, used: str
) -> None:
    """Steps 2 and 3: by a mechanism that the user has, and by negotiation, which prefers SHA-256."""
    await log_in(aiomongo_server.uri(user=user, authMechanism=mechanism))
    (find,) = aiomongo_server.commands_named("find")
    assert find.user == user.name
    hello = next(c for c in aiomongo_server.commands if "speculativeAuthenticate" in c.document)
    assert hello.document.get("saslSupportedMechs") == (
        None if mechanism in (SHA_1, SHA_256) else f"{user.database}.{user.name}"
    )
    begun = [
        hello.document["speculativeAuthenticate"],
        *(c.document for c in aiomongo_server.commands_named("saslStart")),
    ]
    assert begun[-1]["mechanism"] == used
    # A guess that was right costs one command, a wrong one two.
    assert len(begun) == (1 if begun[0]["mechanism"] == used else 2)
    assert len(aiomongo_server.commands_named("saslContinue")) == 1


@every_client
@pytest.mark.parametrize(("user", "mechanism"), [(ONE, SHA_256), (TWO, SHA_1)])
async def test_a_mechanism_that_the_user_does_not_have(
    aiomongo_server: MongoTestServer, log_in: LogIn, user: User, mechanism: str
) -> None:
    """Step 2: it fails, and nothing else is tried."""
    with pytest.raises(REFUSED) as caught:
        await log_in(aiomongo_server.uri(user=user, authMechanism=mechanism))
    assert caught.value.code == 18
    assert {c.document["mechanism"] for c in aiomongo_server.commands_named("saslStart")} == {mechanism}


@every_client
@pytest.mark.parametrize(
    ("user", "password"),
    [("IX", "IX"), ("IX", "I\u00adX"), ("\u2168", "IV"), ("\u2168", "I\u00adV")],
    ids=["plain", "soft hyphen", "sign", "sign, soft hyphen"],
)
@pytest.mark.parametrize("mechanism", [SHA_256, None])
async def test_saslprep(
    aiomongo_server: MongoTestServer, log_in: LogIn, user: str, password: str, mechanism: str | None
) -> None:
    """Step 4: every spelling of a password is the same, and names are left alone."""
    await log_in(aiomongo_server.uri(user=User(user, password), authMechanism=mechanism))
    assert aiomongo_server.commands_named("find")[0].user == user


@every_client
@pytest.mark.parametrize(
    "user",
    [User("both", "wrong"), User("nobody", "both"), User("both", "both", database="app"), User("I\u00adX", "IX")],
    ids=["password", "user", "database", "unprepared name"],
)
async def test_wrong_credentials(aiomongo_server: MongoTestServer, log_in: LogIn, user: User) -> None:
    """The twins: a wrong password, user or database."""
    with pytest.raises(REFUSED) as caught:
        await log_in(aiomongo_server.uri(user=user))
    assert caught.value.code == 18


@every_client
async def test_a_certificate_and_a_password(aiomongo_certs: CertKit, log_in: LogIn) -> None:
    """The certificate is for TLS, the password for the user; without the one or the other nobody gets in."""
    ada = User("ada", "secret", roles=("read@app",))
    with MongoTestServer(ca=aiomongo_certs, users=[ada]) as server:
        assert "tlsCertificateKeyFile" in server.uri()
        await log_in(server.uri())
        (find,) = server.commands_named("find")
        assert find.user == "ada"
        server.reset()
        with pytest.raises(REFUSED):
            await log_in(server.uri(client=aiomongo_certs.client("me")).replace("secret", "wrong"))
        with pytest.raises(REFUSED):
            await log_in(server.uri(client=aiomongo_certs.client("me"), user=None, authMechanism="MONGODB-X509"))


async def test_a_password_without_the_certificate(aiomongo_certs: CertKit) -> None:
    """Does not get through the TLS handshake of a server that demands one."""
    with MongoTestServer(ca=aiomongo_certs, users=[BOTH]) as server, pytest.raises(ClientCertificateRejected):
        await ours(server.uri(client=None, user=BOTH))


async def test_the_first_messages_are_alike(aiomongo_server: MongoTestServer) -> None:
    """Ours and PyMongo's have the same fields; PyMongo's old `autoAuthorize` aside."""
    seen = []
    for log_in in (ours, pymongos):
        aiomongo_server.reset()
        await log_in(aiomongo_server.uri())
        hello = next(c for c in aiomongo_server.commands if "speculativeAuthenticate" in c.document)
        start = hello.document["speculativeAuthenticate"]
        start.pop("autoAuthorize", None)
        words = start["payload"].decode().partition(",r=")
        (last,) = aiomongo_server.commands_named("saslContinue")
        proof = [part[:2] for part in last.document["payload"].decode().split(",")]
        fields = {key: value for key, value in start.items() if key != "payload"}
        seen.append((hello.document["saslSupportedMechs"], fields, words[0], proof, last.database))
    assert seen[0] == seen[1]


async def test_too_few_iterations(aiomongo_certs: CertKit) -> None:
    """Step 5: a server with fewer than 4096 is refused at once, by both clients."""
    few = User("few", "secret", iterations=4095, mechanisms=(SHA_256,))
    with MongoTestServer(ca=aiomongo_certs, tls="require", users=[few]) as server:
        with pytest.raises(AuthenticationFailed, match="4095 iterations") as caught:
            await ours(server.uri())
        assert caught.value.reason == "too-few-iterations"
        assert server.commands_named("saslContinue") == []
        with pytest.raises(pymongo.errors.OperationFailure, match="iteration"):
            await pymongos(server.uri())


async def test_users_that_pymongo_makes(aiomongo_server: MongoTestServer) -> None:
    """By createUser; they are who they are, and may what they may."""
    with pymongo.MongoClient[dict[str, Any]](aiomongo_server.uri()) as client:
        client.app.command("createUser", "ada", pwd="secret", roles=["read"])
    ada = User("ada", "secret", database="app")
    async with aiomongo_server.connect(user=ada) as client:
        assert await client.app.users.find_one() is None
        with pytest.raises(OperationFailure, match="not authorized on app to execute command insert") as caught:
            await client.app.users.insert_one({"_id": 1})
        assert caught.value.code == 13
