"""What TLS is made of: the certificates to trust, our own certificate with its key, a revocation list.

`load_material()` reads each source once, so that a certificate and its key belong to one moment, and proves on the
spot what OpenSSL would otherwise find out in the middle of a connection, in words like `PEM lib`. It works without
`cryptography`: which certificate belongs to the key is found by letting OpenSSL try.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import certifi

from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls import pem
from aiomongo_tls.tls.key_password import KEY_PASSWORD, KeyPassword
from aiomongo_tls.tls.secret_file import secret_file
from aiomongo_tls.tls.source import read_source, shown
from aiomongo_tls.tls.trust import SystemStore, Trust

if TYPE_CHECKING:
    from aiomongo_tls.core.options.tls_options import TLSOptions
    from aiomongo_tls.core.options.tls_source import TLSSource

CA_FILE = "tlsCAFile"
KEY_FILE = "tlsCertificateKeyFile"
CHAIN_FILE = "tlsCertificateFile"
CRL_FILE = "tlsCRLFile"

# What load_cert_chain() says when certificate and key are not a pair; the second where they are of different kinds.
_NO_PAIR = frozenset(
    {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED", "UNKNOWN_CERTIFICATE_TYPE"}
)
_WEAK = ("TOO_SMALL", "TOO_WEAK")


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
    """
    if options.ssl_context is not None:
        _check_context(options)
        return TLSMaterial(trust=Trust.CONTEXT)
    trust, ca = _load_trust(options, environ)
    crl = None if options.crl_file is None else _load_crl(options.crl_file)
    if options.certificate_key_file is None:
        if options.certificate_file is not None:
            raise ConfigurationError(f"{CHAIN_FILE} needs {KEY_FILE} beside it, with the private key")
        return TLSMaterial(trust=trust, ca=ca, crl=crl)
    key, found = _load_key(options.certificate_key_file)
    source, option = options.certificate_key_file, KEY_FILE
    if options.certificate_file is not None:
        source, option = options.certificate_file, CHAIN_FILE
        found = _blocks(source, option)
    certificates = _certificates(found, source, option)
    password = KeyPassword(options.certificate_key_file_password, options.certificate_key_file)
    chain = _paired(certificates, key, password, source, options.certificate_key_file)
    return TLSMaterial(
        trust=trust,
        ca=ca,
        chain=b"".join(block.text for block in chain),
        key=key.text,
        password=password.value,
        crl=crl,
        leaf_der=chain[0].der,
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
        CRL_FILE: options.crl_file,
        "tlsAllowInvalidCertificates": options.allow_invalid_certificates or None,
        "tlsAllowInvalidHostnames": options.allow_invalid_hostnames or None,
    }
    if given := [option for option, value in besides.items() if value is not None]:
        raise ConfigurationError(
            f"ssl_context is used as it is, so {' and '.join(given)} would have no effect; set that on the context"
        )


def _load_trust(options: TLSOptions, environ: Mapping[str, str]) -> tuple[Trust, bytes | None]:
    if options.ca_file is not None:
        certificates = _certificates(_blocks(options.ca_file, CA_FILE), options.ca_file, CA_FILE)
        return Trust.FILE, b"".join(block.text for block in certificates)
    if options.allow_invalid_certificates:
        return Trust.NOBODY, None
    store = SystemStore.find(environ)
    if store.is_dangling:
        raise ConfigurationError(
            f"there is no certificate to trust behind {' and '.join(store.variables)}; "
            f"correct or unset the variable, or set {CA_FILE}"
        )
    if not store.is_empty:
        return Trust.SYSTEM, None
    return Trust.CERTIFI, certifi.contents().encode()


def _blocks(source: TLSSource, option: str, *, signed: str = "CERTIFICATE") -> list[pem.PemBlock]:
    try:
        return pem.blocks(read_source(source, option), signed=signed)
    except pem.Unfinished as exc:
        raise ConfigurationError(f"{option}: {shown(source)} is incomplete: {exc}; copy the file again") from exc


def _load_crl(source: TLSSource) -> bytes:
    lists = [block for block in _blocks(source, CRL_FILE, signed=pem.CRL_LABEL) if block.label == pem.CRL_LABEL]
    if not lists:
        raise ConfigurationError(
            f"{CRL_FILE}: there is no revocation list in {shown(source)}; "
            "it has to hold PEM blocks 'X509 CRL', or one list in DER"
        )
    if not _is_readable(*lists):
        raise ConfigurationError(f"{CRL_FILE}: {shown(source)} is damaged: OpenSSL cannot read it; fetch it again")
    return b"".join(block.text for block in lists)


def _load_key(source: TLSSource) -> tuple[pem.PemBlock, list[pem.PemBlock]]:
    """The private key in tlsCertificateKeyFile, and everything else that is in there."""
    found = _blocks(source, KEY_FILE)
    for block in found:
        if block.label in pem.KEY_LABELS:
            return block, found
    what = _contents(found)
    mend = "append the key to it, or give the certificate in tlsCertificateFile and the key here"
    if any(block.label == pem.PKCS12_LABEL for block in found):
        mend = "that is PKCS#12; convert it: openssl pkcs12 -in FILE -out FILE.pem"
    elif any(block.label == "OPENSSH PRIVATE KEY" for block in found):
        mend = "that is OpenSSH's own format; convert it: ssh-keygen -p -m PKCS8 -f FILE"
    raise ConfigurationError(f"{KEY_FILE}: there is no private key in {shown(source)} ({what}); {mend}")


def _certificates(found: Sequence[pem.PemBlock], source: TLSSource, option: str) -> list[pem.PemBlock]:
    """The certificates among the blocks, each readable; at least one."""
    certificates = [block for block in found if block.label in pem.CERTIFICATE_LABELS]
    if not certificates:
        mend = (
            f"append the certificate to it, or give it in {CHAIN_FILE}"
            if option == KEY_FILE
            else "it has to hold PEM blocks 'CERTIFICATE', or one certificate in DER"
        )
        raise ConfigurationError(f"{option}: there is no certificate in {shown(source)} ({_contents(found)}); {mend}")
    if not _is_readable(*certificates):
        position = next((i for i, block in enumerate(certificates, 1) if not _is_readable(block)), 1)
        which = f"certificate {position} of {len(certificates)}" if len(certificates) > 1 else "the certificate"
        raise ConfigurationError(
            f"{option}: {which} in {shown(source)} is damaged: OpenSSL cannot read it; copy the file again"
        )
    return certificates


def _contents(found: Sequence[pem.PemBlock]) -> str:
    """What is in a file instead of what should be."""
    return "it holds " + ", ".join(sorted({block.label for block in found})) if found else "it is neither PEM nor DER"


def _is_readable(*found: pem.PemBlock) -> bool:
    """Whether OpenSSL can read the blocks, and we their DER."""
    with secret_file(b"".join(block.text for block in found)) as path:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
            return all(block.der for block in found)
        except (ssl.SSLError, ValueError):
            return False


def _paired(
    certificates: list[pem.PemBlock],
    key: pem.PemBlock,
    password: KeyPassword,
    source: TLSSource,
    key_source: TLSSource,
) -> list[pem.PemBlock]:
    """The certificates with the one first that belongs to the key."""
    weak: ssl.SSLError | None = None
    with secret_file(key.text) as key_path:
        for i, leaf in enumerate(certificates):
            chain = [leaf, *certificates[:i], *certificates[i + 1 :]]
            with secret_file(b"".join(block.text for block in chain)) as chain_path:
                try:
                    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(chain_path, key_path, password)
                except ssl.SSLError as exc:
                    if exc.reason in _NO_PAIR:
                        continue
                    # Where Python has no name for OpenSSL's reason it is None.
                    if str(exc.reason).endswith(_WEAK):
                        weak = exc
                        continue
                    _refuse_key(exc, password, key_source)
                except ConfigurationError:
                    # From the password; it is a ValueError as well.
                    raise
                except ValueError as exc:
                    # Python limits the length of a password.
                    raise ConfigurationError(f"{KEY_PASSWORD}: {exc}") from exc
                else:
                    return chain
    if weak is not None:
        raise ConfigurationError(
            f"{KEY_FILE}: OpenSSL refuses a certificate in {shown(source)} as too weak for its security level "
            f"({weak.reason}); have a new one issued, with RSA of 2048 bits or an elliptic curve, and SHA-256"
        ) from weak
    where = shown(source) if source is key_source else f"{shown(source)} ({CHAIN_FILE})"
    raise ConfigurationError(
        f"{KEY_FILE}: the private key in {shown(key_source)} does not belong to any certificate in {where}; "
        "give the two that were issued together"
    )


def _refuse_key(exc: ssl.SSLError, password: KeyPassword, source: TLSSource) -> NoReturn:
    if password.value is not None:
        raise ConfigurationError(
            f"{KEY_PASSWORD} is not the password of the key in {shown(source)}; "
            "check it with: openssl pkey -noout -in FILE"
        ) from exc
    raise ConfigurationError(
        f"{KEY_FILE}: the private key in {shown(source)} is damaged or of a kind that OpenSSL does not know; "
        "check it with: openssl pkey -noout -in FILE"
    ) from exc
