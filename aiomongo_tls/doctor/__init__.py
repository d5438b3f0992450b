"""The doctor: what keeps a client from working, or will, found out before a service finds out.

    options --> environment --> options --> files --> SRV --> each server: dns, tcp, tls, hello, auth, ping --> report
                (environment)   (options)   (files,   (examination)       (host, server)                       (report)
                                             certificates, mounts)

- `findings`: the values. A finding has a severity, a stable slug (`reason`, the same as in a client's errors), what
  was expected, what was found and what to do. `Diagnosis` is all of them.
- `environment`, `options`, `files`: this machine. `certificates` and `mounts` judge content that is given to them.
- `host` takes the steps to one server; `server` judges what it said; `faults` makes findings of a client's errors.
- `examination` calls them all within one time limit: `diagnose()`.
- `report`: findings as text for people and as JSON for programs.

May import: everything below the client's shell, that is the root, `core`, `tls`, `net`; `cryptography` only inside the
functions that need it. Not `testing`, which stands beside it.

Why it is like this. Nothing is done twice: connections are opened by the client's own establisher, files are read by
its own reader, errors keep their texts, and which servers there are is what `core/sdam` makes of the replies. So what
the doctor calls good works, and what it calls bad fails, for the same reason. No client is used: that would wait out
what the doctor is to tell of, and show of several faults only one.

Each server is asked twice, as a monitor and as a user: what it is can be told even where it refuses the login. The
doctor writes nothing, and what it sends is hello, the login and ping.
"""
