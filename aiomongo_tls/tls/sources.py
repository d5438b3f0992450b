"""Which sources the options name, and what the user calls them: files and contents, or the parts of a TLSIdentity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls.source import shown

if TYPE_CHECKING:
    from aiomongo_tls.core.options.tls_options import TLSOptions
    from aiomongo_tls.core.options.tls_source import Password, TLSSource

CA_FILE = "tlsCAFile"
KEY_FILE = "tlsCertificateKeyFile"
CHAIN_FILE = "tlsCertificateFile"
KEY_PASSWORD = "tlsCertificateKeyFilePassword"  # noqa: S105  # the option's name
CRL_FILE = "tlsCRLFile"


@dataclass(frozen=True, slots=True)
class Named:
    """A source, and the option that names it. As text, what a message may show of the source.

    Args:
        option: the option, or `TLSIdentity.key`.
        source: a path or the content itself.
    """

    option: str
    source: TLSSource

    def __str__(self) -> str:
        return shown(self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is to be read.

    Args:
        ca: the certificates to trust; None for those of the system.
        key: the client's private key; None for a client without a certificate.
        chain: its certificates, None if they are beside the key.
        password: the password of the key.
        chain_option: what `chain` is called where it is not given.
        password_option: what `password` is called.
    """

    ca: Named | None
    key: Named | None
    chain: Named | None
    password: Password | None
    chain_option: str = CHAIN_FILE
    password_option: str = KEY_PASSWORD


def sources_of(options: TLSOptions) -> Sources:
    """The sources that the options name.

    Raises:
        ConfigurationError: they name too much, too little, or a provider, which has to be asked first.
    """
    identity = options.identity
    if isinstance(identity, TLSIdentity):
        return _of_identity(identity, options)
    if identity is not None:
        raise ConfigurationError(
            f"tls_identity: a provider ({type(identity).__name__}) has to be awaited, and only a client does that; "
            "give what its identity() returns"
        )
    if options.certificate_key_file is None and options.certificate_file is not None:
        raise ConfigurationError(f"{CHAIN_FILE} needs {KEY_FILE} beside it, with the private key")
    return Sources(
        ca=_named(CA_FILE, options.ca_file),
        key=_named(KEY_FILE, options.certificate_key_file),
        chain=_named(CHAIN_FILE, options.certificate_file),
        password=options.certificate_key_file_password,
    )


def _of_identity(identity: TLSIdentity, options: TLSOptions) -> Sources:
    besides = {
        KEY_FILE: options.certificate_key_file,
        CHAIN_FILE: options.certificate_file,
        KEY_PASSWORD: options.certificate_key_file_password,
        CA_FILE: options.ca_file if identity.ca is not None else None,
    }
    if given := [option for option, value in besides.items() if value is not None]:
        raise ConfigurationError(f"{' and '.join(given)} and tls_identity say the same; leave one of them out")
    return Sources(
        ca=_named("TLSIdentity.ca", identity.ca) or _named(CA_FILE, options.ca_file),
        key=Named("TLSIdentity.key", identity.key),
        chain=_named("TLSIdentity.chain", identity.chain),
        password=identity.password,
        chain_option="TLSIdentity.chain",
        password_option="TLSIdentity.password",  # noqa: S106  # the name of a field
    )


def _named(option: str, source: TLSSource | None) -> Named | None:
    return Named(option, source) if source is not None else None
