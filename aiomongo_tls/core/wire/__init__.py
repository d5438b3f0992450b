"""MongoDB's wire protocol as bytes: framing, OP_MSG, and who may speak when. Both roles.

- `header`: the 16 bytes in front of every message.
- `op_msg`: the one message format of today (flags, a body document, document sequences).
- `legacy`: OP_QUERY and OP_REPLY, for the server role only; older drivers open with them. The client never
  sends them.
- `states`: the conversation as a table. It does not know which end we are.
- `protocol`: `WireProtocol(role)` joins the four; bytes in, messages out.

Imports: errors and the standard library's `struct`. Documents stay BSON bytes here: only their length fields are
looked at, so that a reply is decoded once, by the layer that knows the codec options, and a hostile document
cannot do harm below it.

Why one class for both roles: the embedded server and the tests get the other half for nothing, and each end
is held to the same rules. Since a mistake made by both halves would be invisible, the tests compare with byte
strings worked out by hand from the specification.

Why values are named tuples: one message is two of them plus its content, and a frozen dataclass costs three times as
much to build. The client's straight way builds none: `send_request` writes a message with one `pack`, and
`receive_reply` takes a reply that is all of what came, one document and no flags, by one `unpack` and one condition.
Together with the straight ways of `net` and `tls` that made 34 Python calls of 56 for a request and its reply (a bare
protocol on asyncio's TLS: 37). The table of `states` stays what decides; the straight way is one row of it.

Room left: OP_COMPRESSED is one more opcode between `header` and `op_msg`.
"""
