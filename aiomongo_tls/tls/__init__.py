"""TLS: what we show, whom we trust, how the bytes go, and what went wrong in words.

Imports from here: the root (`errors`, `address`), `core.options.tls_*`, the standard library without asyncio and
sockets, certifi; `cryptography` only inside the functions that need it.

    options ──> material ──────────> context ──> engine ──> explain
                 │  │   │               │                      │
           sources trust key_pair   fingerprint        verdicts, certificate, subject
                 │          │
             contents   key_password, pkcs12
            source, pem, secret_file

- `material` reads what the options name, once, and proves it. `sources` knows what to read and what the user calls it,
  `source` reads files, `pem` finds out what is in them, `contents` lets OpenSSL have a look, `key_pair` finds the
  certificate that belongs to the key, `key_password` answers OpenSSL's question for a password, `pkcs12` opens `.p12`,
  `secret_file` lends OpenSSL a path to bytes in memory, `trust` knows the operating system's store.
- `context` builds the SSLContext and shares it by `fingerprint`. Both it and `material` block (files, 20-40 ms for a
  public bundle): callers run them in a thread.
- `key_log` honours SSLKEYLOGFILE, with a warning.
- `engine` is TLS between two buffers, for client and server, without I/O and without a clock. Its head tells how
  OpenSSL behaves there. `tickets` keeps what lets a second connection to a host leave out the certificates, and says to
  whom and for how long; they live and die with the TLSSetup.
- `explain` turns what OpenSSL raised into an error with expected, presented and hint; the knowledge is in the
  tables of `verdicts`.
- Revocation comes in two kinds. `crl`: lists in a file, which OpenSSL looks at in the handshake; how far they reach.
  `ocsp`: what to ask a responder, and whether its answer counts; `revocation`: what follows from it, and what Python's
  `ssl` cannot do (stapling). The asking itself is done in `net/revocation`.
- `certificate` and `subject` put certificates into words; a subject is the name of a MongoDB user.
- `status` is what a client tells of its own certificate and of its servers'.

What a message of a connection that is open costs: `encrypt()` is one write into OpenSSL and one read of what came out;
`receive_data()` one write, one read, and the question whether anything is left on either side (`has_output` spares the
owner to ask for output that is nearly never there). See `net` for what that gave.

Tried and not taken: asyncio's own TLS (a buffer of 256 KB for each connection, no alert from a server whose handshake
fails, no say over what leaves in one write); `load_verify_locations(cadata=)` (it takes no revocation lists); a second,
unverified connection to learn the names in a refused certificate (the first one knows them); reading DER ourselves (a
parser of certificates is not what a database driver should bring along).
"""
