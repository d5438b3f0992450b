"""From a connection string and keywords to `ClientOptions`, in two stages that are kept apart on purpose.

Stage one, `parser.parse_uri()`, follows MongoDB's connection string, uri-options and auth specifications to the
letter: an unknown key or an unusable value warns and is ignored, the conflicts that the specifications list are
errors. The official suites run here. Stage two, `resolve.resolve()`, merges the keywords over the URI and then is
stricter than the specifications: whatever would silently give the user less than was asked for (plain text, no
authentication, a weaker write concern) or what is not here yet is a `ConfigurationError` before any I/O.

    percent, hosts        the syntax: percent-encoding, user information, host identifiers
    kinds, *_kinds        what a value of an option looks like, as text in a URI and as a keyword
    option, *_rows        one row per option: what it may be, where it lands, what it excludes, what comes of it
    registry              all rows, found by any of their names; everything below works from them
    settings, query       options as given: read from the query of a URI, folded where a key repeats
    keywords              the same from keywords, and their types for editors
    mechanisms            what each authentication mechanism needs and forbids
    conflicts, refusals   the specifications' contradictions; what we refuse beyond them
    parser                stage one
    resolve, build        stage two: merge, check, refuse; then put every value where its row says
    srv                   mongodb+srv: what DNS answers, put into options that were resolved without it
    notices               warnings, collected and pointed at the caller's line

Two rules hold everywhere. No message quotes a part of a URI that may hold a secret: where the syntax is broken a
password can be anywhere, so the position is named instead, and an exception that carries the text is never chained.
And the rows decide: `lands` is where a value goes, `kind` is what it may be, so that the parser, the typed keywords
and the README's table cannot drift apart.

Making a client does no I/O, so that the options of a mongodb+srv client are resolved before anything is looked up:
complete but for the seeds. What DNS may add is three options at most, and what the user gave of these is remembered in
`SRVOptions.given`; the contradictions are looked for again when the answer is there.

May import: errors, address, core.options, core.events (the classes of listeners), bson.
"""
