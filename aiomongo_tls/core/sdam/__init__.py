"""Server discovery and monitoring, server selection and max staleness: the deciding half.

Who asks and who answers: a monitor, or a connection being opened, brings a reply to hello or an error. It becomes a
description of one server; the description is taken over into that of all servers; what is to be done about it comes
back as a value, and the events that tell of it are the difference of two descriptions.

    reply            -> server_description.description_of() ----+
    failed check     -> check_failures.check_failure() ---------+-> transitions.update() -> TopologyDescription
    failed operation -> application_errors.effect_of() ---------+                              |          |
                                                            selection.suitable_servers() <-----+          |
                                                                      changes.changes() <-----------------+

What lives here, from below:

- values: `topology_version`, `topology_type`, `server_description`, `topology_description`. They are replaced, never
  changed, so that whoever holds one may go on reading it. What is derived from all servers (compatibility, session
  timeout, the primary) is computed when a description is made, because every operation asks for it.
- rules: `elections` (which primary is newer), `transitions` (the specification's table), `application_errors` and
  `check_failures` (what a fault says about a server), `failures` (whether waiting can mend it), `changes` (events).
- choice: `staleness` and `eligibility` (who may serve), `selection` (who does). `eligibility` stands below the
  descriptions' own `has_readable_server()`, so that there is one answer to that question.
- time: `rtt` and `schedule`.

How decisions are carried out: description, pool, events and waiters in one step without an await in between, the
description first: a pool is cleared only after its server has become Unknown, and not at all if the description was
not taken over (`Update.applied`), because then the news was old.

Kept apart on purpose:

- The topology version of a server's description is that of the last news, which may be an error of an operation. The
  one that a streaming hello sends is that of the monitor's own last reply: with the error's the server would keep its
  answer back until something changes once more.
- Errors in descriptions are equal by class and text. By identity, a server that stays down would be news at each check.
- A server that does not belong here is removed, as the specification has it, but the reason is kept
  (`Update.refusal`): a mistyped `replicaSet` otherwise ends as "no servers" after thirty seconds.
- PossiblePrimary does not occur: it orders the checks of clients that do them one after the other.

May import: the root and the rest of `core`. Nothing here looks at a clock or rolls dice: both are passed in.
"""
