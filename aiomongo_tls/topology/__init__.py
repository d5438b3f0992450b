"""The servers of one client: which of them an operation uses, and how long it waits for one.

What lives here: `topology` (the one server that a client is told of, its pool, and the rules for waiting for it). The
monitors, several servers and the selection among them come here too; what they decide belongs to `core/sdam`.

May import: the root, `core`, `tls`, `net`, `pool`.

Why it is like this. A fault that waiting may mend (refused, reset, timeout, unknown name) is waited out until the time
limit; one that it cannot mend (certificate, credential, wrong protocol) is raised at once, because a user who waits
thirty seconds for "no server found" has lost the cause. `core/sdam/failures` says which is which.
"""
