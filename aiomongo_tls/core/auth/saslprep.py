"""SASLprep (RFC 4013): the one form of a password, however its characters were typed.

Written on `stringprep` of the standard library, which has the tables of Unicode 3.2 that RFC 3454 wants. The text is a
"stored string": code points that Unicode 3.2 does not know are refused, since another version might map them.
"""

from __future__ import annotations

import stringprep
from unicodedata import ucd_3_2_0

_PROHIBITED = (
    stringprep.in_table_a1,  # not assigned in Unicode 3.2
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """Bring a text into the form in which it is hashed.

    Args:
        text: the text as the user gave it.

    Raises:
        ValueError: it has characters that SASLprep does not allow. The message does not show them.
    """
    mapped = (
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    prepared = ucd_3_2_0.normalize("NFKC", "".join(mapped))
    if any(prohibits(character) for character in prepared for prohibits in _PROHIBITED):
        raise ValueError("it has a character that SASLprep (RFC 4013) does not allow")
    _check_direction(prepared)
    return prepared


def _check_direction(text: str) -> None:
    """RFC 3454, section 6: text from right to left is so from its first character to its last."""
    if not any(map(stringprep.in_table_d1, text)):
        return
    if any(map(stringprep.in_table_d2, text)):
        raise ValueError("it mixes writing from right to left and from left to right, which SASLprep does not allow")
    if not stringprep.in_table_d1(text[0]) or not stringprep.in_table_d1(text[-1]):
        raise ValueError("it has to begin and end with a letter written from right to left (SASLprep, RFC 4013)")
