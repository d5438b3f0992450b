"""Who may log in: by certificate, whose subject is a user of `$external`, or by password."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiomongo_tls.core.auth.scram_keys import SHA_1, SHA_256, prepared
from aiomongo_tls.testing.roles import qualified
from aiomongo_tls.testing.scram import ScramCredential, make_credential

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiomongo_tls.testing.certs import Certificate

EXTERNAL = "$external"
"""The database of users who are known by something else than a password."""

# As long as mongod's: the hash's length less four bytes for the block number.
_SALT_SIZES = {SHA_1: 16, SHA_256: 28}


@dataclass(frozen=True, slots=True)
class User:
    """A user of the embedded server.

        MongoTestServer(users=[User("ada", "secret"), User("bob", "hush", roles=("read@app",))])

    Args:
        name: the user's name; in `$external` the subject of a certificate.
        password: the password; None for a user of `$external`, and only there.
        roles: what the user may do: `root`, `readWrite` (on the user's database), `readWrite@app` (on another), ...
        database: the database that knows the user, `authSource` for clients.
        mechanisms: by which of the two SCRAMs the user can log in.
        iterations: how often the password is hashed. mongod's defaults are 10 000 (SHA-1) and 15 000 (SHA-256); clients
            refuse fewer than 4096.

    Raises:
        ValueError: a role or a mechanism is not here, the password cannot be used, or MongoDB spells the subject
            another way.
    """

    name: str
    password: str | None = field(default=None, repr=False)
    roles: tuple[str, ...] = ("root",)
    database: str = "admin"
    mechanisms: tuple[str, ...] = (SHA_1, SHA_256)
    iterations: int = 4096

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a user needs a name")
        if (self.password is None) is not (self.database == EXTERNAL):
            raise ValueError("a user has a password, or is the subject of a certificate in the database $external")
        if not self.mechanisms or set(self.mechanisms) - _SALT_SIZES.keys():
            raise ValueError(f"mechanisms have to be some of {', '.join(_SALT_SIZES)}")
        if self.iterations < 1:
            raise ValueError("iterations have to be 1 or more")
        for role in self.roles:
            qualified(role, self.database)
        if self.password is None:
            subject_of(self.name)
        else:
            for mechanism in self.mechanisms:
                prepared(mechanism, self.name, self.password)

    @property
    def qualified_roles(self) -> tuple[tuple[str, str], ...]:
        """The roles, each with its database."""
        return tuple(qualified(role, self.database) for role in self.roles)


def subject_of(user: Certificate | str) -> str:
    """The name of the user that a certificate is.

    Args:
        user: a certificate, or its subject as MongoDB spells it.

    Raises:
        ValueError: it is not a subject, or MongoDB spells it another way; such a user could never log in.
    """
    if not isinstance(user, str):
        return user.subject
    from aiomongo_tls.testing.subjects import name_of
    from aiomongo_tls.tls.subject import subject_rfc2253

    # Spaces behind commas are what people write and MongoDB does not.
    name = name_of(re.sub(r"(?<!\\),\s+", ",", user))
    levels = [[(part.oid.dotted_string, str(part.value)) for part in level] for level in name.rdns]
    spelled = subject_rfc2253(levels)
    if spelled != user:
        raise ValueError(f"MongoDB spells the subject {user!r} as {spelled!r}")
    return user


class Account:
    """A user as the server keeps it.

    Args:
        user: the user.
    """

    def __init__(self, user: User) -> None:
        self.user = user
        self._credentials: dict[str, ScramCredential] = {}

    def credential(self, mechanism: str) -> ScramCredential | None:
        """What is kept of the password for a mechanism, None if the user cannot log in by it.

        Computed when it is first needed, and then the same: most tests log in by one mechanism only.
        """
        user = self.user
        if user.password is None or mechanism not in user.mechanisms:
            return None
        if mechanism not in self._credentials:
            salt = os.urandom(_SALT_SIZES[mechanism])
            self._credentials[mechanism] = make_credential(mechanism, user.name, user.password, salt, user.iterations)
        return self._credentials[mechanism]


class Users:
    """The users of one server.

    Args:
        users: certificates, subjects, or users with passwords.
    """

    def __init__(self, users: Iterable[Certificate | User | str] = ()) -> None:
        self._accounts: dict[tuple[str, str], Account] = {}
        for user in users:
            self.add(user)

    def __contains__(self, subject: object) -> bool:
        return isinstance(subject, str) and self.find(EXTERNAL, subject) is not None

    def __len__(self) -> int:
        return len(self._accounts)

    def find(self, database: str, name: str) -> Account | None:
        """The account of a user, None if there is no such user."""
        return self._accounts.get((database, name))

    def add(self, user: Certificate | User | str) -> None:
        """Let somebody in; a user who is there already is replaced."""
        made = _user(user)
        self._accounts[made.database, made.name] = Account(made)

    def remove(self, user: Certificate | User | str) -> None:
        """Let somebody in no longer; who is logged in already stays."""
        made = _user(user)
        self._accounts.pop((made.database, made.name), None)


def _user(user: Certificate | User | str) -> User:
    return user if isinstance(user, User) else User(subject_of(user), database=EXTERNAL)
