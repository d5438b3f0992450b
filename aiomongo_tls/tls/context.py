"""The one place that makes an `ssl.SSLContext`, and the one that shares it.

Loading a public CA bundle costs OpenSSL 18-40 ms and half a megabyte, so a context is built in a thread, once for each
fingerprint, and every pool that has the same fingerprint uses it.

What is switched on, and what is not:

- TLS 1.2 is the floor, or more if OpenSSL's own configuration says so. No renegotiation, no compression.
- Whoever sets tlsCAFile trusts every certificate in it as it stands (VERIFY_X509_PARTIAL_CHAIN): an intermediate
  authority without its root, or the server's own certificate, whoever signed it. Without that flag OpenSSL takes a
  self-signed certificate as its own CA, but one signed by an authority only together with that authority. The
  system's store is used with OpenSSL's defaults.
- VERIFY_X509_STRICT stays off. `ssl.create_default_context()` switches it on from Python 3.13, and many private
  authorities have certificates that it refuses.
- With tlsCRLFile a flag is added to the default flags, not put in their place: VERIFY_CRL_CHECK_LEAF, or
  VERIFY_CRL_CHECK_CHAIN where the lists reach up to a root (`crl.py`). Then every chain has to lead to a root, and
  VERIFY_X509_PARTIAL_CHAIN is left out: with both, OpenSSL ends the chain at an intermediate authority in tlsCAFile and
  has nothing to check the signature of the root's list with ("CRL signature failure").
- Responders (OCSP) are not OpenSSL's business here: see `revocation.py`.
- A certificate with no host name among its subject alternative names, be there IP addresses or none at all, is matched
  by its common name where a host name is asked for (OpenSSL's default, PyMongo's too); an IP address never is.
- SSLKEYLOGFILE, as it is when a context is built, is honoured with a WARNING (`key_log.py`).
"""

from __future__ import annotations

import math
import ssl
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.tls.certificate import CertificateDetails
from aiomongo_tls.tls.crl import reaches_a_root
from aiomongo_tls.tls.fingerprint import fingerprint
from aiomongo_tls.tls.key_log import honour_key_log
from aiomongo_tls.tls.material import TLSMaterial, load_material
from aiomongo_tls.tls.secret_file import secret_file
from aiomongo_tls.tls.tickets import Tickets
from aiomongo_tls.tls.trust import Trust

if TYPE_CHECKING:
    from aiomongo_tls.core.options.tls_options import TLSOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSSetup:
    """Everything a connection needs for TLS.

    Args:
        context: the SSLContext, shared with whoever has the same fingerprint.
        fingerprint: stands for everything that makes two contexts differ.
        material: the content that went into it, but for the private key and its password.
        options: the options that led to it; a TLSIdentity in them has lost its password, and its key if it held one.
        tickets: sessions to be resumed, shared with whoever has the same fingerprint; they end with the last of them.
    """

    context: ssl.SSLContext
    fingerprint: str
    material: TLSMaterial
    options: TLSOptions
    tickets: Tickets = field(default_factory=Tickets, compare=False, repr=False)


# Weak: a context lives as long as anybody uses it. Building holds the lock, so that twenty clients that start together
# build one context; whoever needs another one waits meanwhile, some milliseconds in a thread.
_contexts: WeakValueDictionary[str, ssl.SSLContext] = WeakValueDictionary()
_tickets: WeakValueDictionary[str, Tickets] = WeakValueDictionary()
_lock = threading.Lock()


def shared_context(options: TLSOptions) -> TLSSetup:
    """Read what the options name and get the context for it. Blocks: call it in a thread.

    Raises:
        ConfigurationError: something cannot be used; names the option, the path and the mend.
        AsyncPassword: the key's password has to be awaited first.
    """
    material = load_material(options)
    key = fingerprint(material, options)
    with _lock:
        context = _contexts.get(key)
        if context is None:
            context = _contexts[key] = build_context(material, options)
        tickets = _tickets.get(key)
        if tickets is None:
            tickets = _tickets[key] = Tickets(_end_of_own(material))
    if options.ssl_context is not None:
        # It may have been given another certificate: nobody can see that, and loading it again is how a user says so.
        tickets.clear()
    # From here on OpenSSL alone holds the private key.
    public = replace(material, key=None, password=None)
    if isinstance(options.identity, TLSIdentity):
        options = replace(options, identity=options.identity.public())
    return TLSSetup(context=context, fingerprint=key, material=public, options=options, tickets=tickets)


def build_context(material: TLSMaterial, options: TLSOptions) -> ssl.SSLContext:
    """A new SSLContext, or the one that the user supplied, untouched. Blocks: call it in a thread.

    Args:
        material: what `load_material(options)` returned.
        options: the TLS options.
    """
    if isinstance(options.ssl_context, ssl.SSLContext):
        return options.ssl_context
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if options.allow_invalid_certificates:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif options.allow_invalid_hostnames:
        context.check_hostname = False
    _add_trust(context, material)
    if material.crl is not None and not options.disable_certificate_revocation_check:
        _add_lists(context, material, material.crl)
    if material.chain is not None and material.key is not None:
        password = material.password or b""
        with secret_file(material.chain) as chain, secret_file(material.key) as key:
            # Always a password: without one OpenSSL would ask on the terminal.
            context.load_cert_chain(chain, key, password)
    honour_key_log(context)
    return context


def _end_of_own(material: TLSMaterial) -> float:
    """When our own certificate ends; infinity where there is none, or nobody to read it."""
    try:
        return CertificateDetails.from_der(material.leaf_der).not_after.timestamp() if material.leaf_der else math.inf
    except (ConfigurationError, ValueError):
        return math.inf


def _add_trust(context: ssl.SSLContext, material: TLSMaterial) -> None:
    if material.ca is not None:
        with secret_file(material.ca) as path:
            context.load_verify_locations(cafile=path)
    if material.trust is Trust.FILE:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    elif material.trust is Trust.SYSTEM:
        context.load_default_certs()


def _add_lists(context: ssl.SSLContext, material: TLSMaterial, crl: bytes) -> None:
    with secret_file(crl) as path:
        context.load_verify_locations(cafile=path)
    if reaches_a_root(material.ca, crl):
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_PARTIAL_CHAIN
    else:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
