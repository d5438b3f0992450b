"""What we refuse beyond the specifications, before any I/O: silent downgrades, and what is not here yet.

A message names the option and the mend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiomongo_tls.core.options.tls_identity import TLSIdentity
from aiomongo_tls.core.uri.mechanisms import EXTERNAL
from aiomongo_tls.core.uri.option import Support
from aiomongo_tls.core.uri.registry import OPTIONS
from aiomongo_tls.errors import ConfigurationError

if TYPE_CHECKING:
    from aiomongo_tls.core.options.credential import MongoCredential
    from aiomongo_tls.core.uri.notices import Notices
    from aiomongo_tls.core.uri.settings import Settings

MECHANISMS_HERE: Final = ("MONGODB-X509", "SCRAM-SHA-256", "SCRAM-SHA-1")
IMPLY_TLS: Final = (
    "tlsCAFile",
    "tlsCertificateKeyFile",
    "tlsCertificateFile",
    "tlsCertificateKeyFilePassword",
    "tlsCRLFile",
    "tls_identity",
    "ssl_context",
)
"""Options that turn TLS on by being given: each is useless without it."""
_NEED_TLS: Final = (
    "tlsInsecure",
    "tlsAllowInvalidCertificates",
    "tlsAllowInvalidHostnames",
    "tlsDisableOCSPEndpointCheck",
    "tlsDisableCertificateRevocationCheck",
    "tlsRevocation",
    "tlsServerNames",
)
# A ready context cannot do these, so they go beside it.
_BESIDE_CONTEXT: Final = ("ssl_context", "tlsRevocation", "tlsServerNames")
NOT_BESIDE_CONTEXT: Final = tuple(name for name in (*IMPLY_TLS, *_NEED_TLS) if name not in _BESIDE_CONTEXT)
"""Options that have no effect beside a ready context, which has its own of them."""
_HARMLESS: Final = (False, "off")
_ADVICE: Final = {
    "connect": "write `await AsyncClient.connect(...)` to connect at once",
    "compressors": "messages are not compressed yet",
    "serverSelectionTryOnce": "it is for single-threaded drivers",
}


def refuse_not_here(settings: Settings, notices: Notices) -> None:
    """Refuse what is not implemented, and warn of what is ignored.

    Raises:
        ConfigurationError: an option is not supported yet.
    """
    for name, setting in settings.by_name.items():
        option = OPTIONS[name]
        # The value that an option has anyway asks for nothing.
        if setting.value == option.default:
            continue
        if option.support is Support.REFUSED:
            raise ConfigurationError(f"{name} is not supported yet; {_ADVICE.get(name, 'leave it out')}")
        if option.support is Support.IGNORED:
            notices.add(f"{name} is ignored: {_ADVICE[name]}")


def refuse_mechanism(credential: MongoCredential | None) -> None:
    """Refuse a mechanism that is not implemented, and a user without a password where there has to be one.

    Raises:
        ConfigurationError: it is not, or there is none.
    """
    if credential is None:
        return
    if credential.mechanism is None:
        if credential.password is None:
            raise ConfigurationError(
                "a username without a password and without authMechanism authenticates nobody; add the password, in "
                "the URI or as password=, or authMechanism=MONGODB-X509"
            )
    elif credential.mechanism not in MECHANISMS_HERE:
        raise ConfigurationError(
            f"authMechanism: {credential.mechanism} is not supported yet; "
            f"supported are {', '.join(MECHANISMS_HERE)}, and DEFAULT to agree on one of the last two with the server"
        )


def refuse_damaged(uri: Settings, keywords: Settings) -> None:
    """Refuse a URI whose unusable value would mean less security or durability than was asked for.

    Raises:
        ConfigurationError: it has one that no keyword replaces.
    """
    for name in sorted(uri.damaged):
        if name not in keywords:
            raise ConfigurationError(
                f"{name} in the URI has a value that cannot be used: expected {OPTIONS[name].kind.expected}"
            )


def is_tls(settings: Settings, *, is_srv: bool) -> bool:
    """Whether the options turn TLS on.

    Args:
        settings: the options.
        is_srv: whether the scheme is mongodb+srv, which means TLS unless the options say otherwise.

    Raises:
        ConfigurationError: `tls=false` stands beside an option that turns it on.
    """
    implying = [name for name in IMPLY_TLS if name in settings]
    if "tls" not in settings:
        return is_srv or bool(implying)
    if implying and not settings.value("tls"):
        raise ConfigurationError(f"tls=false contradicts {implying[0]}; leave one of them out")
    return bool(settings.value("tls"))


def refuse_downgrades(settings: Settings, credential: MongoCredential | None, *, tls: bool) -> None:
    """Refuse options that would quietly give less security than they seem to.

    Args:
        settings: the options.
        credential: who the client is.
        tls: whether TLS is on.

    Raises:
        ConfigurationError: they would.
    """
    for name in _NEED_TLS:
        # An explicit tls=false beside "do verify" is odd but takes nothing away.
        if name in settings and not tls and (settings.value(name) not in _HARMLESS or "tls" not in settings):
            raise ConfigurationError(f"{name} means nothing without TLS; add tls=true or leave it out")
    if "ssl_context" in settings:
        _refuse_beside_context(settings)
    identity = settings.value("tls_identity")
    if isinstance(identity, TLSIdentity) and identity.ca is not None and "tlsCAFile" in settings:
        raise ConfigurationError("tlsCAFile and the ca of tls_identity say both whom to trust; leave one of them out")
    if settings.value("tlsAllowInvalidCertificates") and settings.value("tlsAllowInvalidHostnames") is False:
        raise ConfigurationError(
            "tlsAllowInvalidHostnames=false cannot be had beside tlsAllowInvalidCertificates=true, which gives up the "
            "host name check as well; leave one of them out"
        )
    if "tlsCertificateKeyFile" not in settings:
        for name in ("tlsCertificateFile", "tlsCertificateKeyFilePassword"):
            if name in settings:
                raise ConfigurationError(f"{name} needs the key: add tlsCertificateKeyFile")
    if credential is None:
        _refuse_to_be_nobody(settings)
    elif credential.mechanism == "MONGODB-X509":
        _refuse_unproven(settings, tls=tls)


def _refuse_to_be_nobody(settings: Settings) -> None:
    """Without a user and a mechanism nobody is authenticated; these options show that somebody should be."""
    asked = "authMechanismProperties" if "authMechanismProperties" in settings else None
    # Another database stands in many strings without a user, and the specification wants it ignored.
    if settings.value("authSource") == EXTERNAL:
        asked = f"authSource={EXTERNAL}"
    if asked is not None:
        raise ConfigurationError(f"{asked} authenticates nobody by itself; add authMechanism=MONGODB-X509")


def _refuse_unproven(settings: Settings, *, tls: bool) -> None:
    if not tls:
        raise ConfigurationError("authMechanism=MONGODB-X509 needs TLS; add tls=true and tlsCertificateKeyFile")
    if not any(name in settings for name in ("tlsCertificateKeyFile", "tls_identity", "ssl_context")):
        raise ConfigurationError(
            "authMechanism=MONGODB-X509 needs a client certificate; add tlsCertificateKeyFile (or tls_identity, or "
            "ssl_context)"
        )


def _refuse_beside_context(settings: Settings) -> None:
    for name in NOT_BESIDE_CONTEXT:
        if name in settings:
            raise ConfigurationError(f"{name} has no effect beside ssl_context; set it up in the context, or leave one")
    if "tlsServerNames" in settings and not getattr(settings.value("ssl_context"), "check_hostname", True):
        raise ConfigurationError(
            "tlsServerNames means nothing beside an ssl_context that checks no host name; set its check_hostname"
        )
