"""Frozen values: everything a client was told, validated and in the units that the layers below work with.

One file per value; a layer is handed only the part it needs (the pool gets `PoolOptions`, TLS gets `TLSOptions`).
Times are seconds as floats and None means no limit, whatever the option's own unit and its word for "no limit"
were. Nothing here parses: strings and keywords become these values in `core.uri`, which also checks how options
go together. Values that users build themselves (`WriteConcern`, `ReadConcern`, `ReadPreference`, `DriverInfo`)
check their own arguments as PyMongo's do.

May import: errors, address, bson. A repr never shows a password or a key.
"""
