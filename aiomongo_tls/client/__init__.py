"""What a user holds: clients, databases, collections, cursors; and the executor that carries their commands out.

- `client`: AsyncClient, AsyncDatabase and AsyncCollection. They know each other (a collection has its database, a
  database its client, and both make the other), so they stand in one file, thin: everything that can be understood
  alone is in the families they are made of.
- `collection_reads`, `collection_writes`, `collection_changes` (find_one_and_...), `collection_indexes`,
  `database_commands`, `client_commands`: one family of methods each, from PyMongo's parameters to a command of
  `core/commands` and from its reply to PyMongo's result.
- `namespace`, `settings`: what a collection is to its families and cursors: names, options, a way to the executor.
- `executor`: one command on one connection: checked out, completed (`lsid`, `$db`, `$readPreference`), encoded, sent,
  decoded, judged. The hot path is here, and so is the one place where retries go.
- `cursor`, `command_cursor` on `batches`: a cursor on the server and what is read of it.
- `connecting`: what `AsyncClient.connect()` returns. `timeout`: the deadline of a block. `ending`: waiting that
  survives cancellation. `not_here`: PyMongo's methods that are still missing, as a table.

May import: everything below (root, `core`, `topology`). Nobody below imports this.

Why retries, monitors and parking are not visible here: the topology decides which connection an operation gets and what
becomes of it; the executor only brings it back, always, by a plain call in a `finally`.
"""
