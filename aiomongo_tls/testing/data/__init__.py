"""Documents of the embedded server: compared, matched, changed, projected and stored as MongoDB does it.

Everything here is plain and synchronous: documents in, documents out, `CommandError` where the server would give one or
where we do not know its answer. A document is what `bson` decodes: `dict`, `list`, `int` for int32, `Int64` for int64,
`float` for double, so that numeric types survive. Stored documents are never changed in place; an update makes
new containers along its path, and readers may keep what they got.

Why mongomock is not the whole engine. It compares as Python does, so `{a: 1}` finds `{a: True}`, `{x: 1, y: 2}`
equals `{y: 2, x: 1}`, `$inc` turns an int64 into an int32, `$addToSet` of `$group` turns 0 into null, `$strcasecmp`
minds the case: answers that a server does not give, and a test kit must not either. A store behind our interface could
not mend this, because each of them is an answer, not an error that could be told apart (test_mongomock shows them for
mongomock 4.3). So what finds, orders, identifies and changes documents is here (`values`, `paths`, `matching`,
`ordering`, `projection`, `updates`, `indexes`), and so are the common stages and expressions of aggregation. mongomock
computes further operators of expressions (`operators`): those, and of those types of operands, where it gives the
server's answer. All else is an error with a code.

Imports: bson, core, errors. Nothing here knows about connections or commands.
"""
