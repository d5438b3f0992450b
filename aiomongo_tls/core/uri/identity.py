"""Another identity in the place of a client's own: which options it takes the place of.

A certificate, and a credential, are replaced as a whole: what belongs to the one before is not mixed with the new one.

| given                                              | takes the place of                                          |
|----------------------------------------------------|-------------------------------------------------------------|
| an option of the certificate (file, `tls_identity`)| all of them; the username of MONGODB-X509                   |
| `ssl_context`                                      | all options that have no effect beside it                   |
| `username`, `password` or `authMechanism`          | the whole credential                                        |
| the `ca` of a TLSIdentity                          | `tlsCAFile`                                                 |
| any other option                                   | the same option                                             |
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.core.uri.keywords import IdentityOptions, read_keywords
from aiomongo_tls.core.uri.refusals import NOT_BESIDE_CONTEXT
from aiomongo_tls.core.uri.registry import find
from aiomongo_tls.core.uri.settings import Settings
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiomongo_tls.core.uri.notices import Notices
    from aiomongo_tls.core.uri.parser import Parts

_CERTIFICATE: Final = frozenset(
    {"tlsCertificateKeyFile", "tlsCertificateFile", "tlsCertificateKeyFilePassword", "tls_identity", "ssl_context"}
)
_CREDENTIAL: Final = frozenset({"username", "password", "authMechanism", "authSource", "authMechanismProperties"})
_NEW_CREDENTIAL: Final = frozenset({"username", "password", "authMechanism"})
_ALLOWED: Final = frozenset(IdentityOptions.__annotations__)


def with_identity(
    parts: Parts, settings: Settings, identity: Mapping[str, Any], notices: Notices
) -> tuple[Parts, Settings]:
    """Put another identity in the place of the one that a client has.

    Args:
        parts: the URI, whose username and password belong to an identity.
        settings: the client's options.
        identity: keywords in any case, see `IdentityOptions`.
        notices: takes the warnings.

    Raises:
        ConfigurationError: an option is unknown, is none of an identity, or has a value that cannot be used.
    """
    for key in identity:
        name = find(key)
        if name is not None and name.option.name not in _ALLOWED:
            raise ConfigurationError(
                f"{key} cannot be changed by with_identity(), which takes the options of TLS and authentication; give "
                "it to the client that with_identity() is called on"
            )
    new = read_keywords(identity, notices).settled()
    given = set(new.by_name)
    dropped = set[str]()
    if given & _CERTIFICATE:
        dropped |= _CERTIFICATE
        if settings.value("authMechanism") == "MONGODB-X509":
            dropped.add("username")
            parts = replace(parts, username=None)
    if "ssl_context" in given:
        dropped.update(NOT_BESIDE_CONTEXT)
    if given & _NEW_CREDENTIAL:
        dropped |= _CREDENTIAL
        parts = replace(parts, username=None, password=None)
    identity_value = new.value("tls_identity")
    if isinstance(identity_value, TLSIdentity) and identity_value.ca is not None:
        dropped.add("tlsCAFile")
    kept = {name: setting for name, setting in settings.by_name.items() if name not in dropped}
    return parts, Settings({**kept, **new.by_name}, settings.damaged)
