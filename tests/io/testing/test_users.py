"""Users are subjects, spelled as MongoDB spells them."""

from __future__ import annotations

import pytest

from aiomongo_tls.testing import CertKit
from aiomongo_tls.testing.users import Users, subject_of


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
