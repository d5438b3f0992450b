"""The arithmetic of SCRAM (RFC 5802, section 3): from a password to the keys, from the keys to proof and signature.

Both halves use it, the client's conversation and the embedded server's; the vectors of RFC 5802 and RFC 7677 stand
guard over it, and PyMongo at either end.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from aiomongo_tls.core.auth.saslprep import saslprep

SHA_1: Final = "SCRAM-SHA-1"
"""The older mechanism."""

SHA_256: Final = "SCRAM-SHA-256"
"""The mechanism of MongoDB 4.0 and newer."""

HASHES: Final = {SHA_1: "sha1", SHA_256: "sha256"}
"""The hash of each mechanism, by the name that `hashlib` has for it."""

LEAST_ITERATIONS: Final = 4096
"""A server that asks for fewer wants the password to be guessed easily (RFC 5802, section 5.1)."""

MOST_ITERATIONS: Final = 10_000_000
"""Several seconds of work. mongod's default is 15 000; a peer that asks for more than this wants to keep us busy."""


@dataclass(frozen=True, slots=True, repr=False)
class ScramKeys:
    """What a password becomes; enough to log in, so as secret as the password.

    Args:
        client_key: proves that the client knows the password.
        server_key: proves that the server does.
    """

    client_key: bytes
    server_key: bytes


def prepared(mechanism: str, username: str, password: str) -> bytes:
    """The password as it is hashed.

    For SHA-1 MongoDB hashes a digest of user and password in its place, which is what it stored before it knew SCRAM.

    Args:
        mechanism: one of the two.
        username: the user's name, as it is.
        password: the password, as it is.

    Raises:
        ValueError: the password has characters that cannot be used.
    """
    if mechanism == SHA_256:
        return saslprep(password).encode()
    # No secrecy rests on MD5 here: it is the shape that MongoDB gives the password.
    return hashlib.md5(f"{username}:mongo:{password}".encode(), usedforsecurity=False).hexdigest().encode()


def keys(mechanism: str, password: bytes, salt: bytes, iterations: int) -> ScramKeys:
    """Compute the keys. Takes milliseconds to seconds, on purpose.

    Args:
        mechanism: one of the two.
        password: see `prepared()`.
        salt: the server's.
        iterations: how often to hash.
    """
    name = HASHES[mechanism]
    salted = hashlib.pbkdf2_hmac(name, password, salt, iterations)
    return ScramKeys(hmac.digest(salted, b"Client Key", name), hmac.digest(salted, b"Server Key", name))


def stored_key(mechanism: str, client_key: bytes) -> bytes:
    """What a server keeps of the client key: a hash of it, with which nobody can log in.

    Args:
        mechanism: one of the two.
        client_key: the client key.
    """
    return hashlib.new(HASHES[mechanism], client_key).digest()


def masked(mechanism: str, key: bytes, stored: bytes, messages: bytes) -> bytes:
    """The client's proof of its key, or the key in a proof: the client's signature laid over it.

    Args:
        mechanism: one of the two.
        key: the client key, or the proof.
        stored: the stored key.
        messages: what was said so far, RFC 5802's AuthMessage.
    """
    signature = hmac.digest(stored, messages, HASHES[mechanism])
    return bytes(a ^ b for a, b in zip(key, signature, strict=True))


def server_signature(mechanism: str, server_key: bytes, messages: bytes) -> bytes:
    """The server's proof that it knows the password.

    Args:
        mechanism: one of the two.
        server_key: the server key.
        messages: what was said so far, RFC 5802's AuthMessage.
    """
    return hmac.digest(server_key, messages, HASHES[mechanism])
