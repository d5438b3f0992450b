"""Percent-encoding, and what `+` means in user information."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.core.uri.percent import decode, decode_userinfo, decode_value

# Text that UTF-8 can carry.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("userinfo", "decoded"),
    [
        ("ada", ("ada", None)),
        ("ada:", ("ada", "")),
        ("ada:pass", ("ada", "pass")),
        ("", ("", None)),
        (":", ("", "")),
        ("%40da:p%3Aw%2F", ("@da", "p:w/")),
        # quote_plus() can have written these.
        ("a+b:c+d", ("a b", "c d")),
        ("a%2Bb:c+d", ("a+b", "c d")),
        ("a-._~+b", ("a-._~ b", None)),
        # Beside another sub-delimiter, in whichever half, it cannot.
        ("a+b:c!d", ("a+b", "c!d")),
        ("!$&'()*+,;=:x", ("!$&'()*+,;=", "x")),
        ("ä+b", ("ä+b", None)),
    ],
)
def test_userinfo(userinfo: str, decoded: tuple[str, str | None]) -> None:
    """User information is split at its colon and decoded; `+` is a space where quote_plus can have written it."""
    assert decode_userinfo(userinfo) == decoded


@pytest.mark.parametrize("userinfo", ["a@b", "a:b:c", "a%", "a%2", "a%zz:b", "a:b%", "%20%:b", "%ff", "a:%c3%28"])
def test_userinfo_that_is_not_encoded(userinfo: str) -> None:
    """A raw '@', a second colon, a lone '%' or what is not UTF-8 cannot be user information."""
    assert decode_userinfo(userinfo) is None


@given(TEXT, TEXT)
def test_quote_plus_round_trip(username: str, password: str) -> None:
    """What PyMongo's documentation says to do always works."""
    assert decode_userinfo(f"{quote_plus(username)}:{quote_plus(password)}") == (username, password)


@given(TEXT, TEXT)
def test_quote_round_trip(username: str, password: str) -> None:
    """What RFC 3986 says to do always works, too."""
    assert decode_userinfo(f"{quote(username, safe='')}:{quote(password, safe='')}") == (username, password)


def test_values_are_lenient_about_percent_but_plus_is_literal() -> None:
    """In an option's value a lone percent sign stands for itself, and `+` always does."""
    assert decode_value("50%+%41") == "50%+A"
    assert decode_value("%ff") is None
    assert decode("50%") is None
    assert decode("a%2Fb+c") == "a/b+c"
