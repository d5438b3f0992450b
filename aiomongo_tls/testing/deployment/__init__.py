"""What a server is among others: standalone, member of a replica set, mongos, service behind a load balancer.

- `topology_version`, `cluster_clock`: the two values by which servers tell what is newer.
- `node`: what every kind of server says of itself in hello, and which commands it takes. `Standalone`, `Mongos`.
- `membership`: a replica set as plain state: members, terms, who is primary, who may become it. Time is an argument.
- `elections`: the living half of it: a lock, a clock, a timer, and who waits for a primary.
- `access`: who may log in, and the connection strings for it; shared by the servers of a deployment.
- `seat`: what a server is given when it is part of a deployment, and what all of its servers share. `alone`: the seats
  of a server that is a whole deployment.
- `deployment`, `replica_set`, `sharded_cluster`, `load_balancer`: what a test holds in its hands.

Every server keeps its own thread and loop, as if it were a process; what they share is one store, one state and one
lock around both. So an election is a change of plain data between two commands: a write is either carried out by a
primary or refused, never half of each, and a step down needs no waiting. Servers are told of it through their loops,
which wake the hellos that clients have waiting there.

Replication is immediate, since there is one store: a secondary is never behind, nothing is ever rolled back. Nor is
there ever a second primary, since one that is cut off knows it at once; a test that wants one scripts its hello.

Cursors, fail points, scripts and logs are a server's own; data, users and what retryable writes have done are shared,
and outlive a crash, as behind a journal.

What was tried: asyncio's server for accepting. When it is closed it loses connections that it has just taken from the
kernel: they stay open, and their clients wait. So `listener` accepts by itself, and a server that is cut off is one
that does not. A dead server's port stays bound, or on a busy machine somebody's connection would get it as its own.

Imports: `failures`, `data.values`, bson below; `membership`, `node` and the two values know no threads and no loops.
`commands` imports those; `seat` and what a test holds import everything.
"""
