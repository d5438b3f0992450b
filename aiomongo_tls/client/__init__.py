"""What a user holds: clients, databases, collections, cursors; and the executor that carries their commands out.

- `client`: AsyncClient, AsyncDatabase and AsyncCollection. They know each other (a collection has its database, a
  database its client, and both make the other), so they stand in one file, thin: everything that can be understood
  alone is in the families they are made of.
- `collection_reads`, `collection_writes`, `collection_changes` (find_one_and_...), `collection_indexes`,
  `database_commands`, `client_commands`: one family of methods each, from PyMongo's parameters to a command of
  `core/commands` and from its reply to PyMongo's result.
- `client_servers`: what a client knows of its servers and connections.
- `namespace`, `settings`: what a collection is to its families and cursors: names, options, a way to the executor.
- `executor`: one command on one connection: checked out, completed (`lsid`, `txnNumber`, `$readPreference`, `$db`),
  encoded, sent, decoded, judged; and the loop of attempts around it. The hot path is here.
- `cursor`, `command_cursor` on `batches`: a cursor on the server and what is read of it.
- `reaper`: cursors that nobody reads any more, and how they are ended. `late_reply`: replies that nobody reads, because
  the operation was given up or because they cannot be read. `goodbye`: endSessions, and every connection closed.
- `connecting`: what `AsyncClient.connect()` returns. `timeout`: the deadline of a block. `ending`: waiting that
  survives cancellation. `not_here`: PyMongo's methods that are still missing, as a table.

May import: everything below (root, `core`, `topology`). Nobody below imports this.

What is decided elsewhere: whether a failed attempt is repeated, by `core/retry`; which server and connection an attempt
gets and what becomes of it afterwards, by the topology and its pools. The executor brings a connection back, always, by
a plain call in a `finally`, and says what it has met there.

Why the first attempt is in the loop of attempts and not before it: a loop that is left in its first round costs
nothing, and two copies of the way of a command would drift apart. What only a failure needs is in functions of its own.

A cursor, a late reply and a session each know how they end without anybody awaiting them, because most of them end in a
`finally` of a cancelled task or in the garbage collector.
"""
