"""hello that waits for a change. Specification: server-monitoring, "Awaitable hello"; mongod's checks and codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomongo_tls.testing.commands.fields import Fields
from aiomongo_tls.testing.deployment.topology_version import TopologyVersion
from aiomongo_tls.testing.failures import CommandError

if TYPE_CHECKING:
    from aiomongo_tls.testing.data.values import Document
    from aiomongo_tls.testing.deployment.node import Node

EXHAUST_WITHOUT_VERSION = 51756
"""The code for a hello that allows a stream of replies and does not say what it knows."""


def waiting_time(document: Document, node: Node, *, allows_stream: bool) -> float | None:
    """How long a hello may be held.

    Args:
        document: the command.
        node: the server that is asked.
        allows_stream: whether the client takes a stream of replies.

    Returns:
        Seconds until it has to be answered if nothing changes; None if it is to be answered at once.

    Raises:
        CommandError: what it says about versions cannot be.
    """
    fields = Fields("hello", document, tuple(document))
    alone, negative, ahead = node.no_such_version
    milliseconds = fields.whole("maxAwaitTimeMS")
    value = fields.value("topologyVersion")
    if value is None and milliseconds is None:
        if allows_stream:
            raise CommandError(EXHAUST_WITHOUT_VERSION, "A hello request with exhaust must specify 'maxAwaitTimeMS'")
        return None
    if milliseconds is None:
        raise CommandError(alone, "A request with a 'topologyVersion' must include 'maxAwaitTimeMS'")
    if value is None:
        raise CommandError(alone, "A request with 'maxAwaitTimeMS' must include a 'topologyVersion'")
    theirs, ours = TopologyVersion.read(value), node.topology_version
    if theirs.counter < 0:
        raise CommandError(negative, "topologyVersion must have a non-negative counter")
    if theirs.process_id != ours.process_id:
        return None
    if theirs.counter > ours.counter:
        raise CommandError(
            ahead,
            f"Received a topology version with counter: {theirs.counter} which is greater than the server topology "
            f"version counter: {ours.counter}",
        )
    return None if theirs.counter < ours.counter else milliseconds / 1000
