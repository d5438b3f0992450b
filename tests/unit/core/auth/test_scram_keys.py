"""The arithmetic of SCRAM, with numbers that others have computed."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from aiomongo_tls.core.auth.scram_keys import ScramKeys, keys, masked, prepared, server_signature, stored_key

# RFC 7677, section 3.
SALT = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
MESSAGES = (
    b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
)


def test_rfc_7677() -> None:
    """Proof and signature of the RFC's example."""
    made = keys("SCRAM-SHA-256", prepared("SCRAM-SHA-256", "user", "pencil"), SALT, 4096)
    stored = stored_key("SCRAM-SHA-256", made.client_key)
    proof = masked("SCRAM-SHA-256", made.client_key, stored, MESSAGES)
    assert b64encode(proof) == b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    signature = server_signature("SCRAM-SHA-256", made.server_key, MESSAGES)
    assert b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert masked("SCRAM-SHA-256", proof, stored, MESSAGES) == made.client_key


def test_rfc_5802() -> None:
    """The same with SHA-1, whose password MongoDB replaces by a digest: here the RFC's own."""
    messages = (
        b"n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
    )
    made = keys("SCRAM-SHA-1", b"pencil", b64decode("QSXCR+Q6sek8bf92"), 4096)
    proof = masked("SCRAM-SHA-1", made.client_key, stored_key("SCRAM-SHA-1", made.client_key), messages)
    assert b64encode(proof) == b"v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    signature = server_signature("SCRAM-SHA-1", made.server_key, messages)
    assert b64encode(signature) == b"rmF9pqV8S7suAoZWja4dJRkFsKQ="


@pytest.mark.parametrize(
    ("mechanism", "expected"),
    [
        # md5("user:mongo:pencil"), by md5sum
        ("SCRAM-SHA-1", b"1c33006ec1ffd90f9cadcbcc0e118200"),
        ("SCRAM-SHA-256", b"pencil"),
    ],
)
def test_the_password_as_it_is_hashed(mechanism: str, expected: bytes) -> None:
    """A digest of name and password for SHA-1, the prepared password for SHA-256."""
    assert prepared(mechanism, "user", "pencil") == expected


def test_only_sha_256_prepares() -> None:
    """SHA-1 takes any text, since its digest is of the text as it is."""
    assert prepared("SCRAM-SHA-256", "IX", "\u2168") == b"IX"
    assert prepared("SCRAM-SHA-1", "IX", "\u2168") != prepared("SCRAM-SHA-1", "IX", "IX")
    prepared("SCRAM-SHA-1", "ada", "\x07")
    with pytest.raises(ValueError, match="SASLprep"):
        prepared("SCRAM-SHA-256", "ada", "\x07")


def test_keys_do_not_show() -> None:
    """With them anybody could log in."""
    assert "secret" not in repr(ScramKeys(b"secret", b"secret"))
