"""TLS: what we show, whom we trust, how the bytes go, and what went wrong."""
