"""Why a server refused SCRAM, as far as it can be told: it does not say whether it was the name or the password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomongo_tls.core.auth.refusal import UNKNOWN_MECHANISM, LikelyCause

if TYPE_CHECKING:
    from aiomongo_tls.core.options.credential import MongoCredential


def likely_cause(credential: MongoCredential, mechanism: str, code: int | None) -> LikelyCause:
    """Say what the likely cause is and what to do.

    Args:
        credential: who was refused.
        mechanism: the mechanism that was used.
        code: the server's error code.
    """
    if code in UNKNOWN_MECHANISM:
        return LikelyCause(
            "mechanism-unavailable",
            f"this server does not offer {mechanism}, or not for this user: leave authMechanism out to use what it "
            "offers, or add it to its authenticationMechanisms",
        )
    name = f"{credential.username!r} in the database {credential.source!r}"
    hint = f"the server has no user {name}, or the password is another one"
    if credential.mechanism is not None:
        hint += f", or the user has no {mechanism} credentials (leave authMechanism out to use those it has)"
    return LikelyCause(
        "bad-credentials",
        f"{hint}; a user is known to the database it was created in, which authSource names; "
        "in a URI, percent-encode name and password",
    )
