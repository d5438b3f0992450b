"""Replica sets of a few lines: members that answer hello by a role that the test gives them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import bson
from peers import HELLO, MongoPeer, mongo_peer

from aiomongo_tls.address import ServerAddress

NAME = "rs"


class Members:
    """The members of a replica set, all of them on the test's loop; the first is primary at the beginning."""

    def __init__(self, peers: list[MongoPeer]) -> None:
        self.peers = peers
        self.election = 0
        self.missing: list[ServerAddress] = []
        for peer in peers:
            peer.answers["hello"] = lambda command, peer=peer: self.hello(peer)
        self.elect(0)

    def elect(self, number: int | None) -> None:
        """Make a member primary, or nobody."""
        self.primary = None if number is None else self.peers[number]
        self.election += 1

    @property
    def addresses(self) -> tuple[ServerAddress, ...]:
        return tuple(peer.address for peer in self.peers)

    def hello(self, peer: MongoPeer) -> dict[str, Any]:
        is_primary = peer is self.primary
        reply = HELLO | {
            "setName": NAME,
            "setVersion": 1,
            "hosts": [str(address) for address in (*self.addresses, *self.missing)],
            "me": str(peer.address),
            "isWritablePrimary": is_primary,
            "secondary": not is_primary,
        }
        if is_primary:
            reply["electionId"] = bson.ObjectId(self.election.to_bytes(12, "big"))
        return reply


@asynccontextmanager
async def replica_set(count: int = 3, *, contexts: list[ssl.SSLContext] | None = None) -> AsyncIterator[Members]:
    """A replica set without TLS, or with one context per member."""
    async with AsyncExitStack() as stack:
        peers = [
            await stack.enter_async_context(mongo_peer(None if contexts is None else contexts[number]))
            for number in range(count)
        ]
        yield Members(peers)
