"""What a client tells its listeners: events as frozen values, the listener classes, and the publisher between them.

What lives here: `pool_events` (connection monitoring and pooling), `topology_events` (server discovery and monitoring,
heartbeats), `tls_events` (TLS handshakes), `listeners` (the classes to inherit from), `publisher` (who wants what, and
the call itself).

Why it is like this. The names of classes, methods and attributes are PyMongo's where it has them, so that a listener
moves over by changing imports. Three things differ: events are values with keyword-only fields, so that they can be
compared and made in tests; addresses are `ServerAddress`, which prints as `host:port`; and every duration is in
seconds.

Events are published from plain functions in the middle of what they tell about, in the order the specifications give.
So a listener must be quick, and cannot await. What one raises never reaches the operation. Nobody makes an event
object before asking the publisher whether anybody listens: one attribute to read on the way of every operation.

May import: the root, and for types `core/sdam`.
"""
