"""The decisions of a connection pool: who gets which connection, what to open, what to close.

What lives here: `key` (what tells pools apart), `slots` (the bookkeeping of one pool), `disposition` (what becomes of a
connection that is given back). All of it is plain code without a loop or a clock: `pool/` carries out what is decided.

Why it is like this. Bookkeeping that awaits can be cut in two by a cancellation, and then a slot is lost; every pool we
looked at that awaits inside its bookkeeping can be made to lose one. So nothing here can await: each call moves the
books from one sound state to the next and *returns* what is to be done. A granted connection may find that its
waiter has gone; then it is given back like any other.

May import: the root and `core/options`.
"""
