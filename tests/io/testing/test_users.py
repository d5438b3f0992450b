"""Users are subjects, spelled as MongoDB spells them, or have a password."""

from __future__ import annotations

from typing import Any

import pytest

from aiomongo_tls.testing import CertKit
from aiomongo_tls.testing.users import User, Users, subject_of


def test_certificates_and_subjects() -> None:
    """Both name a user; users come and go."""
    ada = CertKit().client("ada")
    users = Users([ada, "CN=bob,O=Example"])
    assert ada.subject in users
    assert "CN=bob,O=Example" in users
    assert "CN=eve" not in users
    users.remove(ada)
    assert len(users) == 1


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("CN=bob, O=Example", "'CN=bob,O=Example'"),
        ("bob", "no subject of a certificate"),
        ("", "needs a subject"),
        ("1.2.840.113549.1.9.1=a@b.c", "emailAddress=a@b.c"),
    ],
)
def test_a_subject_that_could_never_log_in(subject: str, message: str) -> None:
    """A spelling that MongoDB does not use is told at once, with the right one."""
    with pytest.raises(ValueError, match=message):
        subject_of(subject)


def test_a_user_with_a_password() -> None:
    """Known to a database, equal by value, and silent about the password."""
    ada = User("ada", "hunter2")
    users = Users([ada, User("ada", "other", database="app")])
    assert len(users) == 2
    account = users.find("admin", "ada")
    assert account is not None
    assert account.user == User("ada", "hunter2")
    assert "hunter2" not in repr(ada)
    credential = account.credential("SCRAM-SHA-256")
    assert credential is account.credential("SCRAM-SHA-256")
    assert credential is not None
    assert (len(credential.salt), credential.iterations) == (28, 4096)
    users.remove(User("ada", "whatever"))
    assert users.find("admin", "ada") is None


def test_a_certificate_with_roles() -> None:
    """A user of `$external` has no password, and no SCRAM."""
    users = Users([User("CN=ada", database="$external", roles=("read@app",))])
    account = users.find("$external", "CN=ada")
    assert account is not None
    assert account.user.qualified_roles == (("read", "app"),)
    assert account.credential("SCRAM-SHA-1") is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": ""}, "needs a name"),
        ({"password": None}, "has a password"),
        ({"database": "$external"}, "has a password"),
        ({"name": "ada", "password": None, "database": "$external"}, "is no subject"),
        ({"roles": ("king",)}, "no role named 'king'"),
        ({"roles": ("root@app",)}, "belongs to admin"),
        ({"mechanisms": ()}, "mechanisms have to be"),
        ({"mechanisms": ("PLAIN",)}, "mechanisms have to be"),
        ({"iterations": 0}, "1 or more"),
        ({"password": "hunter2\x07"}, "SASLprep"),
    ],
)
def test_a_user_that_cannot_be(values: dict[str, Any], message: str) -> None:
    """Is told at once, without the password."""
    with pytest.raises(ValueError, match=message) as info:
        User(**({"name": "ada", "password": "secret"} | values))
    assert "hunter2" not in str(info.value)
