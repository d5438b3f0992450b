"""From the first byte after TLS to an authenticated connection, as conversations.

- `conversation`: what a conversation is: a generator of commands, and of computations, that is sent replies.
- `metadata`: the client document, at most 512 bytes about who connects.
- `hello`: the first command, and what its reply says (`StreamDescription`).
- `facts`: what the layers below know about a connection, for errors that explain.
- `x509`: MONGODB-X509; `x509_cause`: the likely cause when the server refuses.
- `scram`: SCRAM-SHA-256, SCRAM-SHA-1, and the choice between them; `scram_keys`: its arithmetic, `saslprep`: the form
  of a password, `scram_cause`: the likely cause when the server refuses.
- `refusal`: whether an error is a verdict on the credential.
- `mechanisms`: the table of mechanisms. A new one is a module like `x509` and a row there.
- `opening`: hello, then authentication, then the description; and authentication again.

Imports: `core.options`, `core.reply`, `core.server_type`, errors, version, `bson`.

Why generators: the order of commands and the meaning of replies are written once, top to bottom, and are
tested with a list of replies. Sockets, deadlines and cancellation belong to the driver of the generator; it is
ten lines. The first command of `opening` depends on nothing that the peer says, so that it can leave in one write
with the last flight of the TLS handshake. Each command names its phase, so that a timeout can say how far the
connection had come.

The machine's facts (environment variables, operating system, interpreter) come in as a `ClientEnvironment`;
nothing here looks at the machine.

SCRAM is written by hand on `hashlib` and `hmac`, because libraries for it prepare user names by SASLprep, which MongoDB
does not want, and have no cache of keys. Deriving a key takes milliseconds to seconds of pure work, on purpose; as
nothing here knows a thread, a conversation yields a `Computation`, and its driver sees to it that each is done once.

Without TLS, SCRAM is allowed and nothing warns, as in PyMongo: it does not reveal the password.
"""
