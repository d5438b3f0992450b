"""The servers of one client: which there are, which of them an operation uses, and how long it waits for one.

What lives here: `topology` (gives operations their connections, from whichever event loop), `search` (what one
operation looks for, and what it says when the time is up), `deployment` (the servers on one event loop, and what
follows from all that is learned of them), `life` (its beginning and its end), `server` (one of them: pool and
monitor), `monitor` and `rtt_monitor` (watch one server), `srv_monitor` (follows the SRV records), `rotation` (brings
renewed certificates into use), `tls_status` (what the client tells of its TLS), `expiry`
(warns of a certificate that nobody renews), `announcer` (events and log).

May import: the root, `core`, `tls`, `net`, `pool`.

Why it is like this. What a reply or an error *means* is decided in `core/sdam`; here it is carried out, by plain
functions, so that no operation can come between a description and what follows from it. A fault that waiting may mend
is waited out; one that it cannot mend is raised as soon as every server has one, because a user who waits thirty
seconds for "no server found" has lost the cause. Monitors do not authenticate, so a refused credential shows at the
first connection of a pool and is raised from there.

Tasks: one per monitor, one more per server that streams (it measures round trips), one that follows SRV records, one
while the deployment is begun. Each is named, has an empty context, belongs to the object that started it and is ended
and waited for by `close()`.

Tried: retrying inside the topology until a connection could be opened, without monitors. It was enough for one server,
but every waiting operation paid for an attempt of its own.
"""
