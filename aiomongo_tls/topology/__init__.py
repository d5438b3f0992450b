"""The servers that clients talk to: which there are, which of them an operation uses, and how long it waits for one.

What lives here: `topology` (gives the operations of one client their connections, from whichever event loop), `search`
(what one operation looks for, and what it says when the time is up), `shared_life` (which clients share what follows,
and on which loop), `life` (its beginning and its end there, and which principals there are), `beginning` (something is
begun once for all who need it), `deployment` (the servers on one event loop, and what follows from all that is learned
of them), `server` (one of them, and its monitor), `monitor` and `rtt_monitor` (watch one server), `srv_monitor`
(follows the SRV records), `principal` (who operations act as: a TLS identity and a credential), `access` (a principal
at a server: what is presented there, and its pool), `rotation` (brings a principal's renewed certificates into use),
`tls_status` (what a client tells of its TLS), `expiry` (warns of a certificate that nobody renews), `announcer` (events
and log).

    client -- Topology --(acts as)---> Principal --(one for each server)--> Access -- Pool
                 |                         |
    client -- Topology                 Rotation
                 |
             SharedLife --(one for each loop)--> Life -- Deployment --(one for each address)--> Server -- Monitor

May import: the root, `core`, `tls`, `net`, `pool`.

Why it is like this. What a reply or an error *means* is decided in `core/sdam`; here it is carried out, by plain
functions, so that no operation can come between a description and what follows from it. A fault that waiting may mend
is waited out; one that it cannot mend is raised as soon as every server has one, because a user who waits thirty
seconds for "no server found" has lost the cause. Monitors do not authenticate, so a refused credential shows at the
first connection of a pool and is raised from there.

Several clients of one topology share what is known of the servers, and nothing else. So a server that one principal is
refused by is not Unknown as long as others use it: the refusal is noted at that principal's access, its pool alone is
cleared and stays open, and its searches pass that server over where another will do. What cuts a server off from
everybody - nobody listens there, an open connection is lost, its check fails - clears every pool of it. The first
client's principal is the watcher: monitors present its certificate, for as long as there is any client. Clients with
equal options act as one principal, which is kept for a while when its last client was closed (`maxIdleIdentities`).
Clients are held weakly, so that one that was forgotten keeps nothing open for the others.

Tasks: one per monitor, one more per server that streams (it measures round trips), one that follows SRV records, one
per principal that follows its files, and while something is begun one for the deployment and one for each principal.
Each is named, has an empty context, belongs to the object that started it and is ended and waited for by `close()`: a
principal's with its last client, the rest with the last client of all.

Tried: retrying inside the topology until a connection could be opened, without monitors. It was enough for one server,
but every waiting operation paid for an attempt of its own.
"""
