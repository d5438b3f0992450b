"""The decisions of a connection pool: who gets which connection, what to open, what to close.

What lives here: `key` (what tells pools apart), `slots` (the bookkeeping of one pool), `generations` (which connections
are stale), `disposition` (what becomes of a connection that is given back), `overload` (which errors of an attempt say
that the server may have too much to do), `status` and `occupation` (what a pool looks like from outside, in numbers
and in words), `reported_options`. All of it is plain code without a loop or a clock: `pool/` carries out what is
decided.

Why it is like this. Bookkeeping that awaits can be cut in two by a cancellation, and then a slot is lost; every pool we
looked at that awaits inside its bookkeeping can be made to lose one. So nothing here can await: each call moves the
books from one sound state to the next and *returns* what is to be done. A granted connection may find that its
waiter has gone; then it is given back like any other.

A connection is in one place of the books or in none, and comes back only from among those in use. So one that is given
back twice, or that belongs to another pool, is an error and never there twice.

Where this goes beyond the specification (connection monitoring and pooling), and why:

- Attempts to open connections belong to the pool and not to the operation that wanted one. A failed attempt is told
  to the one waiter who would need another attempt; if it made the topology clear the pool, to all of them.
- `clear()` closes what is idle and gives up what is being opened at once, instead of when somebody stumbles upon it: a
  stale connection is only ever one in use.
- A connection whose operation was given up is parked until the late reply has come (`slots`).

May import: the root, `core/options`, `core/events`.
"""
