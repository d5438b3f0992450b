"""The server's half of SCRAM (RFC 5802): as strict as mongod, which tells an intruder nothing but "failed"."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiomongo_tls.core.auth import scram_keys

if TYPE_CHECKING:
    from collections.abc import Callable


class ScramError(Exception):
    """The client's message is wrong; says how, for the log."""


@dataclass(frozen=True, slots=True, repr=False)
class ScramCredential:
    """What a server keeps of a password.

    Args:
        salt: goes into the keys.
        iterations: how often was hashed.
        stored_key: a hash of the client key.
        server_key: with which the server proves that it knows the user.
    """

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


def make_credential(mechanism: str, name: str, password: str, salt: bytes, iterations: int) -> ScramCredential:
    """Make what is kept of a password.

    Args:
        mechanism: one of the two.
        name: the user's name.
        password: the password.
        salt: 16 random bytes for SHA-1, 28 for SHA-256.
        iterations: how often to hash.

    Raises:
        ValueError: the password has characters that cannot be used.
    """
    keys = scram_keys.keys(mechanism, scram_keys.prepared(mechanism, name, password), salt, iterations)
    return ScramCredential(salt, iterations, scram_keys.stored_key(mechanism, keys.client_key), keys.server_key)


@dataclass(slots=True)
class ScramServer:
    """One conversation: `first()`, then `final()`.

    Args:
        mechanism: one of the two.
        find: the credential of a user, None if there is none.
        nonce: what the server adds to the client's nonce.
    """

    mechanism: str
    find: Callable[[str], ScramCredential | None] = field(repr=False)
    nonce: str = field(repr=False)
    user: str = ""
    _said: str = field(default="", repr=False)
    _nonce: str = field(default="", repr=False)
    _header: str = field(default="", repr=False)
    _credential: ScramCredential | None = field(default=None, repr=False)

    def first(self, payload: bytes) -> bytes:
        """Answer the client's first message.

        Raises:
            ScramError: it is not one, asks for what is not here, or is from nobody.
        """
        text = _text(payload)
        flag, _, rest = text.partition(",")
        authorization, comma, bare = rest.partition(",")
        if flag not in ("n", "y") or authorization or not comma:
            raise ScramError("the header has to be n,, or y,,: no channel binding, no other user")
        name, nonce = _fields(bare, "n", "r")
        if not nonce:
            raise ScramError("the nonce is empty")
        self.user = _unescaped(name)
        self._credential = self.find(self.user)
        if self._credential is None:
            raise ScramError(f"there is no user {self.user!r} with {self.mechanism}")
        self._header, self._nonce = f"{flag},,", nonce + self.nonce
        salt = b64encode(self._credential.salt).decode()
        answer = f"r={self._nonce},s={salt},i={self._credential.iterations}"
        self._said = f"{bare},{answer}"
        return answer.encode()

    def final(self, payload: bytes) -> bytes:
        """Answer the client's last message, which proves that it knows the password.

        Raises:
            ScramError: it does not prove it, or is not one.
        """
        credential = self._credential
        if credential is None:
            raise ScramError("there was no first message")
        text = _text(payload)
        binding, nonce, proof = _fields(text, "c", "r", "p")
        if _decoded(binding) != self._header.encode():
            raise ScramError("c= does not repeat the header")
        if not hmac.compare_digest(nonce.encode(), self._nonce.encode()):
            raise ScramError("r= is not the nonce of this conversation")
        messages = f"{self._said},{text.rpartition(',p=')[0]}".encode()
        mask = _decoded(proof)
        if len(mask) != len(credential.stored_key):
            raise ScramError("p= has another length than a proof")
        key = scram_keys.masked(self.mechanism, mask, credential.stored_key, messages)
        if not hmac.compare_digest(scram_keys.stored_key(self.mechanism, key), credential.stored_key):
            raise ScramError("the proof is wrong")
        return b"v=" + b64encode(scram_keys.server_signature(self.mechanism, credential.server_key, messages))


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as exc:
        raise ScramError("the message is not UTF-8") from exc


def _fields(text: str, *names: str) -> list[str]:
    """The values of exactly these fields, in this order."""
    parts = text.split(",")
    if [part[:2] for part in parts] != [f"{name}=" for name in names]:
        raise ScramError(f"expected the fields {', '.join(names)}")
    return [part[2:] for part in parts]


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ScramError("a field is not base64") from exc


def _unescaped(name: str) -> str:
    parts = name.split("=")
    if any(part[:2] not in ("2C", "3D") for part in parts[1:]):
        raise ScramError("the user's name has an escape that does not exist")
    return parts[0] + "".join((("," if part[:2] == "2C" else "=") + part[2:]) for part in parts[1:])
