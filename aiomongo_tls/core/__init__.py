"""The half that decides: values in, values out.

What lives here: options and the URI, wire messages, hello and authentication, commands, and every other rule of
MongoDB's driver specifications that can be followed without waiting for anything. It can be read and tested
without an event loop.

What may be imported: the root (`errors`, `address`, `deadline`, `version`), the standard library's pure modules,
and `bson`. Not asyncio, socket, ssl, time, random, logging, nor the environment: time, chance and facts about
the machine come in as arguments. One helper that breaks this rule would spoil it for everything above, which is
why an architecture test guards it.

Inside, imports follow the way of a request: options < uri; wire and reply < auth < sdam < retry < commands. Three
shapes come back:

- a frozen value (options, descriptions, results);
- a state machine fed with bytes, whose rules are a table (`wire.protocol`);
- a conversation: a generator that yields commands and is sent replies (`auth`). Whoever drives it owns the socket,
  the deadline and the cancellation; a test drives it with a list of replies.
"""
