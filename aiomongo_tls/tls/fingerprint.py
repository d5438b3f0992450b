"""What makes two SSLContexts differ, as a string: clients with the same fingerprint can share one.

It digests content: the certificates to trust, our own certificate, revocation lists, and the policy. Never a path (the
content behind it changes), a password or a key (the certificate says which key it is; a digest of a secret is
not kept either).
"""

from __future__ import annotations

import hashlib
import itertools
import os
import ssl
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from aiomongo_tls.tls import pem
from aiomongo_tls.tls.trust import SystemStore, Trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiomongo_tls.core.options.tls_options import TLSOptions
    from aiomongo_tls.tls.material import TLSMaterial

# Bound to what build_context() does: another policy there is another number here.
_POLICY = b"client, TLS 1.2 and newer, 1"

_tokens: WeakKeyDictionary[ssl.SSLContext, str] = WeakKeyDictionary()
_numbers = itertools.count(1)


def fingerprint(material: TLSMaterial, options: TLSOptions, environ: Mapping[str, str] = os.environ) -> str:
    """The fingerprint of what `build_context(material, options)` would build. Reads files: call it in a thread.

    Args:
        material: the content behind the options.
        options: the TLS options.
        environ: the environment, for `SSL_CERT_FILE` and `SSL_CERT_DIR`.

    Returns:
        64 hex digits; for a context that the user supplied, a token that belongs to that object alone.
    """
    if options.ssl_context is not None:
        # What happens outside the context still tells connections apart: what was not asked about is not trusted by
        # whoever wants it asked about.
        token = _token(options.ssl_context) + (f"/ocsp={options.ocsp}" if options.ocsp != "off" else "")
        return f"{token}/names={_digest([(b'names', _names(options))])[:16]}" if options.server_names else token
    return _digest(_facts(material, options, environ))


def _digest(facts: Iterable[tuple[bytes, Iterable[bytes]]]) -> str:
    digest = hashlib.sha256()
    for name, parts in facts:
        # Each part is itself digested, so that no two lists of parts run into the same bytes.
        digest.update(name + b":" + b",".join(hashlib.sha256(part).digest() for part in parts) + b";")
    return digest.hexdigest()


def _facts(
    material: TLSMaterial, options: TLSOptions, environ: Mapping[str, str]
) -> Iterable[tuple[bytes, Iterable[bytes]]]:
    yield b"policy", (_POLICY,)
    yield b"trust", (material.trust.value.encode(),)
    # The order of certificates to trust means nothing, the order of our own chain does.
    yield b"ca", sorted(set(_ders(material.ca)))
    yield b"chain", _ders(material.chain)
    yield b"crl", sorted(set(_ders(material.crl)))
    if material.trust is Trust.SYSTEM:
        store = SystemStore.find(environ)
        # The system's own store is a constant: whoever updates it restarts the service.
        yield b"store", store.content() if store.variables else ()
    flags = {
        "invalid-certificates": options.allow_invalid_certificates,
        "invalid-hostnames": options.allow_invalid_hostnames,
        "no-ocsp-endpoint": options.disable_ocsp_endpoint_check,
        "no-revocation": options.disable_certificate_revocation_check,
        f"revocation-{options.revocation}": options.revocation != "off",
    }
    yield b"flags", (name.encode() for name, is_set in flags.items() if is_set)
    # Whoever is verified by another name is verified otherwise, though by the same SSLContext.
    yield b"names", _names(options)


def _names(options: TLSOptions) -> Iterable[bytes]:
    # A host has no line break in it; the path of a socket may, in the middle.
    return (f"{entry.port}\n{entry.name}\n{entry.host}".encode() for entry in sorted(options.server_names, key=str))


def _ders(text: bytes | None) -> list[bytes]:
    return [block.der for block in pem.blocks(text)] if text else []


def _token(context: ssl.SSLContext) -> str:
    # Not id(): the next object may get the same one.
    return _tokens.setdefault(context, f"ssl_context-{next(_numbers)}")
