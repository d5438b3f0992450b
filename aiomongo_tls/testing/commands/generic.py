"""The fields that any command may have: concerns, versions of the API, limits of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomongo_tls.testing.data.values import integer, truthy
from aiomongo_tls.testing.failures import CommandError, ErrorCode, not_here

if TYPE_CHECKING:
    from aiomongo_tls.testing.commands.request import Request


def check_generic(request: Request) -> None:
    """Refuse what a server in this one's place refuses, and what is not here.

    Raises:
        CommandError: it is refused.
    """
    document, node = request.document, request.node
    node.hears(document)
    if document.get("apiVersion", "1") != "1":
        raise CommandError(ErrorCode.APIVersionError, "API version must be '1'")
    if truthy(document.get("apiStrict")):
        raise not_here("the strict mode of the Stable API")
    node.check_concerns(document)
    limit = document.get("maxTimeMS")
    if limit is not None and (integer(limit) is None or (integer(limit) or 0) < 0):
        raise CommandError(ErrorCode.BadValue, f"maxTimeMS has to be a whole number, not {limit!r}")
