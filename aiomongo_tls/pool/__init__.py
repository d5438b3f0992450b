"""The connection pool, the half that acts.

What lives here: `pool` (carries out what `core/pool/slots` decides), `attempts` (the tasks that open connections),
`keeper` (looks after a pool when nobody asks it for anything), `announcer` (events and log messages).

May import: the root, `core`, `tls`, `net`.

Why it is like this. Everything that moves the books is a plain function that cannot be cut in two; what can be
cancelled is only the waiting of a caller, and whatever it had been granted goes back on the spot. Connections are
opened by tasks that belong to the pool, not to the operation that needed one: its short time limit ends its waiting and
not the attempt, whose connection lands in the pool. Otherwise a slow network and short limits make a storm of half-done
handshakes in which no connection is ever finished. The tasks run in an empty context, since they outlive the operation
and whatever it had put into its context variables.

An operation that is cancelled or timed out leaves its reply under way. Its connection is given back all the same, and
parked until that reply has come: for drainTimeoutMS at most, and DRAIN_BYTES of reply. Whoever gave it back is told of
the reply through `on_late_reply`, since it may have opened a cursor; where nobody wants to be told, or half a request
has left, the connection is closed. So hanging up on a hundred requests costs no connection, and a server that hangs
holds up nobody for longer than `SPARED`, after which a parked connection makes room for who waits (a little later on a
loop that is late itself, see `keeper`).

A pool is closed in two ways. With its client everything ends at once. When its server leaves the deployment
(`retire()`), what is under way goes on, since the server may well be there still: a mongos that DNS lists no longer, a
member that is being taken out of its set.

What the topology makes of a failed attempt it is asked first: `on_fault` may clear the pool. Then all who wait get the
error of that attempt, which says more than that the pool was cleared. Otherwise one of them gets it.

Events are published in the middle of what they tell of, when the books are in order; a check-out that waited is told
of by the caller, when it runs again. A keeper's look takes the place of the specification's background thread, and what
that would find after `clear()` is done within it.

The keeper is a timer, not a task: there is nothing to await between two looks, and a timer cannot be cancelled halfway.
"""
