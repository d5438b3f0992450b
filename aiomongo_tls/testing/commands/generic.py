"""The fields that any command may have: concerns, versions of the API, limits of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomongo_tls.testing.commands.stable_api import check_api
from aiomongo_tls.testing.data.values import integer
from aiomongo_tls.testing.failures import CommandError, ErrorCode

if TYPE_CHECKING:
    from aiomongo_tls.testing.commands.request import Request


def check_generic(request: Request) -> None:
    """Refuse what a server in this one's place refuses, and what is not here.

    Raises:
        CommandError: it is refused.
    """
    document, node = request.document, request.node
    node.hears(document)
    check_api(request.name, document)
    node.check_concerns(document)
    limit = document.get("maxTimeMS")
    if limit is not None and (integer(limit) is None or (integer(limit) or 0) < 0):
        raise CommandError(ErrorCode.BadValue, f"maxTimeMS has to be a whole number, not {limit!r}")
