"""What tells pools apart."""

from __future__ import annotations

from aiomongo_tls.address import ServerAddress
from aiomongo_tls.core.options.credential import MongoCredential
from aiomongo_tls.core.pool.key import PoolKey

HERE = ServerAddress("db.example.net")


def credential(password: str) -> MongoCredential:
    return MongoCredential(username="ada", password=password, source="admin", mechanism="PLAIN")


def test_server_certificate_and_credential_each_make_another_pool() -> None:
    """Equal in all three means the same pool; different in one, another."""
    key = PoolKey(HERE, "f", credential("a"))
    assert key == PoolKey(HERE, "f", credential("a"))
    assert len({key, PoolKey(ServerAddress("x"), "f", credential("a")), PoolKey(HERE, "g", credential("a"))}) == 3
    assert key != PoolKey(HERE, "f", credential("b"))


def test_its_repr_shows_no_secret() -> None:
    """Keys end up in logs."""
    assert "hunter2" not in repr(PoolKey(HERE, "f", credential("hunter2")))
