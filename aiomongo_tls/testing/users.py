"""Who may log in: the users of `$external`, which are subjects of certificates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiomongo_tls.testing.certs import Certificate

EXTERNAL = "$external"
"""The database of users who are known by something else than a password."""


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


class Users:
    """The users of one server.

    Args:
        users: certificates or subjects.
    """

    def __init__(self, users: Iterable[Certificate | str] = ()) -> None:
        self._subjects = {subject_of(user) for user in users}

    def __contains__(self, subject: object) -> bool:
        return subject in self._subjects

    def __len__(self) -> int:
        return len(self._subjects)

    def add(self, user: Certificate | str) -> None:
        """Let somebody in."""
        self._subjects.add(subject_of(user))

    def remove(self, user: Certificate | str) -> None:
        """Let somebody in no longer; who is logged in already stays."""
        self._subjects.discard(subject_of(user))
