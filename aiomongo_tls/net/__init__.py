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

The hot path, as measured (CPython 3.11; one request and its reply, 10 tasks on 10 connections, against a bare protocol
on asyncio's TLS with the same bytes; ratios of CPU time are medians of alternating rounds on a busy machine):

- Reading into one buffer per loop (`buffers`) instead of being handed bytes: a read of the stock loop allocates 256 KB,
  which costs nothing or 18 us, depending on what malloc has learnt in that process. Ours / bare 0.97 -> 0.91, and
  0.75 -> 0.49 where malloc has learnt nothing (asyncio's own TLS suffers from the same).
- One straight way from `Connection.begin_request()` to the loop's `write`, and from `buffer_updated()` to the future,
  with the general way beside it: the time in our Python alone, without sockets and OpenSSL, 7.0 -> 2.3 us.
- `Transport._straight` is set exactly while nothing stands between a write and the loop: one look instead of six flags.
- What a deadline has to tell (bytes of the reply that came) is found out when it passes, not noted for each request.

Tried and not taken: `SSLObject`'s inner object, without its Python methods (0.1 us, and it is private); a smaller or a
kept buffer for what is decrypted (no difference, and slower); a future that wakes its task in place instead of by the
loop (about 1.5 us of 30 on the stock loop, nothing on uvloop, and a task would run inside of `data_received`).

One rule about cancellation: whoever opens a thing closes it in a `finally` or `except BaseException` that does not
await.
"""
