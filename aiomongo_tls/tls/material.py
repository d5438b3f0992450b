"""What TLS is made of: the certificates to trust, our own certificate with its key, a revocation list.

`load_material()` reads each source once, so that a certificate and its key belong to one moment, and proves on the
spot what OpenSSL would otherwise find out in the middle of a connection, in words like `PEM lib`.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import certifi

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls import pem
from aiomongo_tls.tls.contents import are_readable, blocks_in, certificates_among, joined
from aiomongo_tls.tls.key_pair import KeyPair, load_key_pair
from aiomongo_tls.tls.sources import CA_FILE, CHAIN_FILE, CRL_FILE, KEY_FILE, KEY_PASSWORD, Named, sources_of
from aiomongo_tls.tls.trust import SystemStore, Trust

if TYPE_CHECKING:
    from aiomongo_tls.core.options.tls_options import TLSOptions
    from aiomongo_tls.core.options.tls_source import TLSSource


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSMaterial:
    """The content behind `TLSOptions`, read and found good. All of it is PEM.

    Args:
        trust: where the certificates to trust come from.
        ca: the certificates to trust; None for the operating system's, or if none is needed.
        chain: the client's certificate and those that lead to its CA, the client's own first.
        key: the client's private key, as it was given, perhaps encrypted.
        password: the password of the key; None if it is not encrypted.
        crl: certificate revocation lists.
        leaf_der: the client's certificate in DER.
    """

    trust: Trust
    ca: bytes | None = field(default=None, repr=False)
    chain: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    password: bytes | None = field(default=None, repr=False)
    crl: bytes | None = field(default=None, repr=False)
    leaf_der: bytes | None = field(default=None, repr=False)


def load_material(options: TLSOptions, environ: Mapping[str, str] = os.environ) -> TLSMaterial:
    """Read and check everything that the options name. Blocks: call it in a thread.

    Args:
        options: the TLS options.
        environ: the environment, for `SSL_CERT_FILE` and `SSL_CERT_DIR`.

    Raises:
        ConfigurationError: something cannot be used; names the option, the path and the mend.
        AsyncPassword: the key's password has to be awaited first.
    """
    if options.ssl_context is not None:
        _check_context(options)
        return TLSMaterial(trust=Trust.CONTEXT)
    sources = sources_of(options)
    ca = None if sources.ca is None else joined(certificates_among(blocks_in(sources.ca), sources.ca))
    crl = None if options.crl_file is None else _load_crl(options.crl_file)
    pair = load_key_pair(sources, sources.key) if sources.key is not None else None
    trust = Trust.FILE
    if ca is None:
        trust, ca = _other_trust(options, pair, environ)
    if pair is None:
        return TLSMaterial(trust=trust, ca=ca, crl=crl)
    return TLSMaterial(
        trust=trust, ca=ca, chain=pair.chain, key=pair.key, password=pair.password, crl=crl, leaf_der=pair.leaf_der
    )


def _check_context(options: TLSOptions) -> None:
    """A supplied context is used as it is, so it has to be whole."""
    context: object = options.ssl_context
    if not isinstance(context, ssl.SSLContext):
        raise ConfigurationError(f"ssl_context has to be an ssl.SSLContext, not {type(context).__qualname__}")
    if context.protocol == ssl.PROTOCOL_TLS_SERVER:
        raise ConfigurationError(
            "ssl_context is one for servers (PROTOCOL_TLS_SERVER); make one for clients: "
            "ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) or ssl.create_default_context()"
        )
    besides = {
        CA_FILE: options.ca_file,
        KEY_FILE: options.certificate_key_file,
        CHAIN_FILE: options.certificate_file,
        KEY_PASSWORD: options.certificate_key_file_password,
        "tls_identity": options.identity,
        CRL_FILE: options.crl_file,
        "tlsAllowInvalidCertificates": options.allow_invalid_certificates or None,
        "tlsAllowInvalidHostnames": options.allow_invalid_hostnames or None,
    }
    if given := [option for option, value in besides.items() if value is not None]:
        raise ConfigurationError(
            f"ssl_context is used as it is, so {' and '.join(given)} would have no effect; set that on the context"
        )


def _other_trust(options: TLSOptions, pair: KeyPair | None, environ: Mapping[str, str]) -> tuple[Trust, bytes | None]:
    """Whom to trust where the options do not say it."""
    if options.allow_invalid_certificates:
        return Trust.NOBODY, None
    if pair is not None and pair.roots is not None:
        return Trust.PKCS12, pair.roots
    store = SystemStore.find(environ)
    if store.is_dangling:
        raise ConfigurationError(
            f"there is no certificate to trust behind {' and '.join(store.variables)}; "
            f"correct or unset the variable, or set {CA_FILE}",
            reason="trust-store-empty",
        )
    if not store.is_empty:
        return Trust.SYSTEM, None
    return Trust.CERTIFI, certifi.contents().encode()


def _load_crl(source: TLSSource) -> bytes:
    named = Named(CRL_FILE, source)
    lists = [block for block in blocks_in(named, signed=pem.CRL_LABEL) if block.label == pem.CRL_LABEL]
    if not lists:
        raise ConfigurationError(
            f"{CRL_FILE}: there is no revocation list in {named}; "
            "it has to hold PEM blocks 'X509 CRL', or one list in DER",
            reason="crl-missing",
        )
    if not are_readable(*lists):
        raise ConfigurationError(
            f"{CRL_FILE}: {named} is damaged: OpenSSL cannot read it; fetch it again", reason="crl-invalid"
        )
    return joined(lists)
