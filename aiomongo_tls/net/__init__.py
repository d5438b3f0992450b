"""The network: bytes between this process and one server.

What lives here: `transport` (a byte stream with or without TLS, in both roles, and `open_connection`), `buffers` (what
it reads into), `dns` and `dialing` (from a host name to a connected socket), `threads` (a blocking call on a thread of
its own), `computations` (the slow work of authentication, each done once), `turns` (handshake steps share the loop),
`identity` (the SSLContext, made off the loop), `asking` (providers and passwords, awaited on it), `shared_task` (one
piece of work for all who wait), `connection` (one request at a time, and its reply), `establish` (from an address to a
connection that has said hello and is authenticated), `handshake` (tells listeners of TLS handshakes), `faults` (errors
of the system in our words), `srv` (the records of mongodb+srv), `revocation` (asks responders about servers'
certificates) over `http` (one request, one answer).

May import: the root, `core`, `tls`. Everything here runs on an event loop; nothing here decides who gets a connection.

Why it is like this. TLS runs in our own engine over a *plain* transport (see `tls/engine.py`), because asyncio's TLS
has no deadline of its own, loses alerts, never sends a server's failure alert, keeps 256 KB per connection and cannot
resume a session. Foreign errors (`OSError`, `ssl.SSLError`, `gaierror`) are translated once, here, into errors that
name host, phase and a useful sentence; the layers above see the originals only as `__cause__`. Name look-ups and Happy
Eyeballs are ours because uvloop has no Happy Eyeballs and asyncio's look-ups share an executor that holds up shutdown.

One rule about cancellation: whoever opens a thing closes it in a `finally` or `except BaseException` that does not
await.
"""
