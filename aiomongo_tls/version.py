"""The version of this distribution, in one place: packaging, `--version` and the handshake read it here."""

__version__ = "0.1.0.dev0"
