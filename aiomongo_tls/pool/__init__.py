"""The connection pool, the half that acts.

What lives here: `pool` (carries out what `core/pool/slots` decides), `keeper` (looks after a pool when nobody asks it
for anything), `registry` (the pools of one client by their keys).

May import: the root, `core`, `tls`, `net`.

Why it is like this. Everything that moves the books is a plain function that cannot be cut in two; what can be
cancelled is only the waiting of a caller, and whatever it had been granted goes back on the spot. Connections are
opened by tasks that belong to the pool, not to the operation that needed one: its short time limit ends its waiting and
not the attempt, whose connection lands in the pool. Otherwise a slow network and short limits make a storm of half-done
handshakes in which no connection is ever finished. The tasks run in an empty context, since they outlive the operation
and whatever it had put into its context variables.

The keeper is a timer, not a task: there is nothing to await between two looks, and a timer cannot be cancelled halfway.
"""
