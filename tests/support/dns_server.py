"""A DNS server on loopback, on the running loop, over UDP and TCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.asyncresolver import Resolver

TTL = 300


class DNSServer(asyncio.DatagramProtocol):
    """Answers from `records`; what a test wants to be different is an attribute."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Sequence[str]] = {}
        self.rcode: dns.rcode.Rcode | None = None
        self.is_silent = False
        self.truncates = False
        self.ttl = TTL
        self.questions: list[tuple[str, str]] = []
        self.asked = asyncio.Event()
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    def resolver(self) -> Resolver:
        """A resolver that asks this server."""
        resolver = Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.port
        return resolver

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self.answer(data, is_tcp=False)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = self.answer(await reader.readexactly(size), is_tcp=True)
        if answer is not None:
            writer.write(len(answer).to_bytes(2, "big") + answer)
        writer.close()

    def answer(self, data: bytes, *, is_tcp: bool) -> bytes | None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.questions.append((name, kind))
        self.asked.set()
        if self.is_silent:
            return None
        response = dns.message.make_response(query)
        if self.truncates and not is_tcp:
            response.flags |= dns.flags.TC
            return response.to_wire()
        if self.rcode is not None:
            response.set_rcode(self.rcode)
        elif found := self.records.get((name, kind)):
            response.answer.append(dns.rrset.from_text_list(question.name, self.ttl, "IN", kind, found))
        elif name not in {known for known, _ in self.records}:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


@asynccontextmanager
async def dns_server() -> AsyncIterator[DNSServer]:
    """A running server."""
    server = DNSServer()
    loop = asyncio.get_running_loop()
    while True:
        tcp = await asyncio.start_server(server.serve_tcp, "127.0.0.1", 0)
        server.port = tcp.sockets[0].getsockname()[1]
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", server.port))
            break
        except OSError:
            # Somebody has this number already, for UDP.
            tcp.close()
            await tcp.wait_closed()
    try:
        yield server
    finally:
        transport.close()
        tcp.close()
        await tcp.wait_closed()
