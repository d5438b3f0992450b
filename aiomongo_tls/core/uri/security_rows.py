"""The rows of the registry about TLS and authentication."""

from __future__ import annotations

from typing import Final

from aiomongo_tls.core.uri.kinds import (
    ANY_OBJECT,
    BOOLEAN,
    FILE,
    KEY_FILE,
    PASSWORD,
    SECRET_TEXT,
    SHARE,
    TEXT,
    milliseconds,
    one_of,
)
from aiomongo_tls.core.uri.mechanisms import MECHANISMS
from aiomongo_tls.core.uri.option import Former, Option, Repeat, Support
from aiomongo_tls.core.uri.tls_kinds import SERVER_NAMES, SSL_CONTEXT, TLS_IDENTITY
from aiomongo_tls.core.uri.value_kinds import AUTH_SOURCE, CERT_REQS, PROPERTIES, inverse

REVOCATION: Final = ("off", "soft", "hard")

TLS: Final = (
    Option(
        "tls",
        BOOLEAN,
        False,
        "tls.enabled",
        "Use TLS. Implied by every option here that names a file, and by tls_identity and ssl_context.",
        aliases=("ssl",),
        strict=True,
        repeat=Repeat.AGREE,
    ),
    Option(
        "tlsCAFile",
        FILE,
        None,
        "tls.ca_file",
        "The certificates to trust, instead of the operating system's.",
        formers=(Former("ssl_ca_certs"),),
        strict=True,
    ),
    Option(
        "tlsCertificateKeyFile",
        KEY_FILE,
        None,
        "tls.certificate_key_file",
        "The client's private key and certificate chain; only the key where tlsCertificateFile has the chain. Of "
        "PKCS#12 (extra `x509`), root certificates are trusted too where tlsCAFile is not given.",
        formers=(Former("ssl_keyfile"),),
        strict=True,
    ),
    Option(
        "tlsCertificateFile",
        FILE,
        None,
        "tls.certificate_file",
        "The client's certificate chain where it is kept apart from the key (Kubernetes' tls.crt).",
        formers=(
            Former(
                "ssl_certfile",
                advice="tlsCertificateKeyFile for a file that holds the key too, or tlsCertificateFile beside it",
            ),
        ),
        strict=True,
    ),
    Option(
        "tlsCertificateKeyFilePassword",
        PASSWORD,
        None,
        "tls.certificate_key_file_password",
        "The password of the private key, or of PKCS#12. A function is only called if there is one. Nothing ever "
        "prompts for it.",
        formers=(Former("ssl_pem_passphrase"),),
        strict=True,
        secret=True,
    ),
    Option(
        "tlsCRLFile",
        FILE,
        None,
        "tls.crl_file",
        "Revocation lists to check the server against (`revoked`): of the authority that issued its certificate, or of "
        "every authority up to the root in tlsCAFile. A list that is not there, out of date or unusable is an error "
        "(`crl-missing`, `crl-expired`, `crl-invalid`).",
        formers=(Former("ssl_crlfile"),),
        strict=True,
    ),
    Option(
        "tls_identity",
        TLS_IDENTITY,
        None,
        "tls.identity",
        "The client's key, chain and CA in place of the files: a TLSIdentity, or a provider of one (Vault, SPIFFE).",
        excludes=("tlsCertificateKeyFile", "tlsCertificateFile", "tlsCertificateKeyFilePassword"),
        keyword_only=True,
        secret=True,
    ),
    Option(
        "tlsServerNames",
        SERVER_NAMES,
        None,
        "tls.server_names",
        "The names by which hosts behind a tunnel or port-forward are asked for (SNI) and fully verified.",
        strict=True,
    ),
    Option(
        "tlsReloadIntervalMS",
        milliseconds(),
        10000,
        "tls.reload_interval",
        "How soon renewed files are noticed; 0 for not by itself. A renewed certificate is used once the server has "
        "accepted it, without a dropped operation.",
    ),
    Option(
        "tlsExpiryWarning",
        SHARE,
        0.2,
        "tls.expiry_warning",
        "The share of the client certificate's lifetime below which a WARNING says that it was not renewed; 0 for no "
        "warning. Needs the extra `x509`.",
    ),
    Option(
        "tlsInsecure",
        BOOLEAN,
        False,
        "tls.allow_invalid_certificates tls.allow_invalid_hostnames",
        "Verify neither the server's certificate nor its host name. For tests only.",
        excludes=(
            "tlsAllowInvalidCertificates",
            "tlsAllowInvalidHostnames",
            "tlsDisableOCSPEndpointCheck",
            "tlsDisableCertificateRevocationCheck",
        ),
        strict=True,
    ),
    Option(
        "tlsAllowInvalidCertificates",
        BOOLEAN,
        False,
        "tls.allow_invalid_certificates tls.allow_invalid_hostnames",
        "Do not verify the server's certificate, and not its host name either. For tests only.",
        formers=(Former("ssl_cert_reqs", CERT_REQS),),
        excludes=("tlsDisableOCSPEndpointCheck", "tlsDisableCertificateRevocationCheck"),
        strict=True,
    ),
    Option(
        "tlsAllowInvalidHostnames",
        BOOLEAN,
        False,
        "tls.allow_invalid_hostnames",
        "Accept a certificate for another host name. For tests only.",
        formers=(Former("ssl_match_hostname", inverse(BOOLEAN)),),
        strict=True,
    ),
    Option(
        "tlsRevocation",
        one_of(REVOCATION),
        "off",
        "tls.revocation",
        "Ask the OCSP responder that the server's certificate names (extra `x509`). `soft` goes on where there is no "
        "answer, unless the certificate is Must-Staple; `hard` does not (`revocation-unknown`). Answers that the "
        "server staples are not seen: Python's ssl has no stapling.",
        strict=True,
    ),
    Option(
        "tlsDisableOCSPEndpointCheck",
        BOOLEAN,
        False,
        "tls.disable_ocsp_endpoint_check",
        "Do not ask OCSP responders, whatever tlsRevocation says.",
        excludes=("tlsDisableCertificateRevocationCheck",),
        strict=True,
    ),
    Option(
        "tlsDisableCertificateRevocationCheck",
        BOOLEAN,
        False,
        "tls.disable_certificate_revocation_check",
        "Do not check for revocation at all.",
        strict=True,
    ),
    Option(
        "tlsFailFast",
        BOOLEAN,
        True,
        "tls_fail_fast",
        "Raise permanent TLS and authentication faults at once; false waits as the specification does.",
    ),
    Option(
        "ssl_context",
        SSL_CONTEXT,
        None,
        "tls.ssl_context",
        "A ready ssl.SSLContext in place of the options here that name files, switch checks off, or tls_identity.",
        keyword_only=True,
    ),
)

AUTH: Final = (
    Option("username", TEXT, None, "credential.username", "The user's name, not percent-encoded.", keyword_only=True),
    Option(
        "password",
        SECRET_TEXT,
        None,
        "credential.password",
        "The user's password, not percent-encoded.",
        keyword_only=True,
        secret=True,
    ),
    Option(
        "authMechanism",
        one_of(MECHANISMS),
        None,
        "credential.mechanism",
        "How to authenticate. MONGODB-X509, SCRAM-SHA-256, SCRAM-SHA-1 and DEFAULT (a SCRAM that the server has for "
        "the user; also without authMechanism) are here; the others are refused.",
        strict=True,
    ),
    Option("authSource", AUTH_SOURCE, None, "credential.source", "The database that knows the user."),
    Option(
        "authMechanismProperties",
        PROPERTIES,
        None,
        "credential.properties",
        "What a mechanism needs to know besides. In a URI a value cannot hold a comma.",
        strict=True,
        secret=True,
    ),
    Option(
        "authOIDCAllowedHosts",
        ANY_OBJECT,
        None,
        "",
        "Hosts that may be given an OIDC token.",
        keyword_only=True,
        support=Support.REFUSED,
    ),
)
