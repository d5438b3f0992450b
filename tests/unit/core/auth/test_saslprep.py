"""SASLprep, with the examples of RFC 4013 and of the authentication specification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.core.auth.saslprep import saslprep


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I\u00adX", "IX"),  # RFC 4013, section 3: a soft hyphen is mapped to nothing
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b\u3000c", "a b c"),  # other spaces are spaces
        ("", ""),
        ("p\u00e4ss, w=rd", "p\u00e4ss, w=rd"),
        ("\u05d0\u05d1", "\u05d0\u05d1"),
    ],
)
def test_prepared(text: str, expected: str) -> None:
    """However it was typed, it becomes the same text; a second time changes nothing."""
    assert saslprep(text) == expected
    assert saslprep(expected) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\u0007", "character"),  # RFC 4013, section 3
        ("\u0627\u0031", "begin and end"),  # RFC 4013, section 3
        ("\u0627a\u0628", "mixes"),
        ("tab\there", "character"),
        ("\x7f", "character"),
        ("\ue000", "character"),  # private use
        ("\ufdd0", "character"),  # no character
        ("\ud800", "character"),  # half a surrogate pair
        ("\u0221", "character"),  # not assigned in Unicode 3.2
        ("\U0001f511", "character"),  # nor is the key
        ("\u200e", "character"),
    ],
)
def test_refused(text: str, says: str) -> None:
    """What RFC 4013 prohibits is refused without showing the text."""
    with pytest.raises(ValueError, match=says) as info:
        saslprep(f"{text}" if says != "character" else f"hunter2{text}")
    assert "hunter2" not in str(info.value)
    assert text not in str(info.value)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
def test_ascii_stays_as_it_is(text: str) -> None:
    """Printable ASCII is already prepared."""
    assert saslprep(text) == text
