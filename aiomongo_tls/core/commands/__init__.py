"""What is said to a server after the handshake: commands and what their replies mean.

What lives here, one file per command family: `find`, `aggregate`, `reads` (count, distinct), `writes` around their
`statements`, `find_and_modify`, `indexes`, `administration`; beside them `cursors` (the decisions of an open cursor),
`bulk` (runs, re-indexed errors), `batches` (encoding once, cutting at the server's three limits), `decoding` and
`unread` (a large batch, decoded as it is read), `routing`, `completion` (a command made ready for its connection) and
`outcome` (what came of an attempt), the values that callers hold (`operations`, `results`, `collation`, `keys`) and the
checks of what callers pass (`arguments`, `names`).

A family is functions from arguments to a command document. Nothing here knows a connection: what depends on one
(session id, `$readPreference`, limits) is added by `completion` when the executor has the connection in hand. That is
why a `Command` carries its statements unencoded beside its body: they are cut into messages by the limits of the server
that will read them. It also says what may be done when it fails (`retryability`), which its family knows best.

What may be imported: the root, `core.options`, `core.wire`, `core.reply`, `core.retry`, `core.sessions`, the
descriptions of `core.auth` and `core.sdam`, and `bson`.

Wrong arguments raise what PyMongo raises for them (TypeError, ValueError, InvalidName, ConfigurationError) before
anything is sent. Options that the server judges (a bad hint, an unknown collation) are passed on: its message is
better than a copy of its rules.
"""
