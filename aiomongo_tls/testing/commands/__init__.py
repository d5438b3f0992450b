"""The commands of the embedded server: plain functions from a request to a reply.

- `request`: what a command is given, and what all commands share (store, cursors, users).
- `fields`: reading a command's fields as strictly as the server's IDL does; an unknown field is an error, not ignored.
- `dispatch`: the table of commands; authentication required or not; errors become replies.
- `authorization`: whether the user's roles allow a command. `sessions`: whose session it belongs to.
- `generic`: the fields that any command may have. `stable_api`: what one may ask for that is strict about it.
  `error_labels`: what a reply says of trying again.
- `statements`: the writes of one command, each applied once in a retryable write.
- one module per family: `handshake`, `authentication`, `sasl`, `reads`, `writes`, `modification`, `aggregation`,
  `collections`, `indexes`, `diagnostics`, `replication`; `awaiting`: hello that waits.

A command knows nothing of sockets, threads or loops, raises `CommandError`, and returns its reply without `ok`.
That makes it testable with a dict.

Imports: `data`, `store`, `sessions`, `fail_points`, `failures`, `users`, `scram`, `roles`, `deployment.node`, bson.
"""
