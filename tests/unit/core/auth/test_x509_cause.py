"""Why a server refused a certificate."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aiomongo_tls.core.auth.facts import ConnectionFacts
from aiomongo_tls.core.auth.x509_cause import create_user, likely_cause

SUBJECT = "CN=ada,OU=clients,O=Example"
FACTS = ConnectionFacts(tls=True, certificate=True, subject=SUBJECT, database="app")


def test_without_tls():
    """Without TLS there is no certificate, whatever files are configured."""
    cause = likely_cause(replace(FACTS, tls=False), user=None, code=17)
    assert cause.reason == "no-tls"
    assert "add tls=true" in cause.hint


def test_without_certificate():
    """With TLS but no certificate, the option to set is named."""
    facts = replace(FACTS, certificate=False, subject=None)
    cause = likely_cause(facts, user=None, code=18)
    assert cause.reason == "no-client-certificate"
    assert "tlsCertificateKeyFile" in cause.hint


def test_user_is_not_the_subject():
    """A user name that is not the subject is the likely mistake, and both are shown."""
    reason, hint = likely_cause(FACTS, user="CN=ada", code=18)
    assert reason == "user-mismatch"
    assert "'CN=ada'" in hint
    assert repr(SUBJECT) in hint
    assert "leave the user name out" in hint


def test_tls_ends_elsewhere():
    """A server that sees no TLS although we use it stands behind something that ends it."""
    cause = likely_cause(FACTS, user=None, code=17)
    assert cause.reason == "tls-terminated"
    assert "ends TLS" in cause.hint


@pytest.mark.parametrize("code", [59, 334])
def test_a_server_without_the_mechanism(code: int):
    """A server that does not know the command, or has the mechanism switched off, needs no user."""
    cause = likely_cause(FACTS, user=None, code=code)
    assert cause.reason == "mechanism-unavailable"
    assert "createUser" not in cause.hint


@pytest.mark.parametrize("user", [None, SUBJECT])
def test_unknown_user(user: str | None):
    """Otherwise the user is missing, and the command to create it can be pasted."""
    reason, hint = likely_cause(FACTS, user=user, code=18)
    assert reason == "unknown-user"
    assert (
        'db.getSiblingDB("$external").runCommand({createUser: "CN=ada,OU=clients,O=Example", '
        'roles: [{role: "readWrite", db: "app"}]})'
    ) in hint
    assert "O, OU and DC" in hint


def test_subject_not_known_here():
    """Where the subject cannot be read, the command that shows it is given."""
    facts = replace(FACTS, subject=None, database=None)
    hint = likely_cause(facts, user=None, code=18).hint
    assert "openssl x509 -noout -subject -nameopt RFC2253" in hint
    assert 'createUser: "<subject>", roles: [{role: "readWrite", db: "test"}]' in hint


def test_user_given_but_subject_not_known_here():
    """The user name given is only right if it is the subject."""
    hint = likely_cause(replace(FACTS, subject=None), user="CN=ada", code=18).hint
    assert "'CN=ada', if that is the certificate's subject" in hint
    assert 'createUser: "CN=ada"' in hint


@pytest.mark.parametrize("subject", ['CN="a\\,b"', "CN=Zoë", "CN=a\\0Ab"])
def test_quoting(subject: str):
    """The name is a JavaScript string that means the subject, whatever is in it."""
    command = create_user(subject)
    quoted = command[command.index("createUser: ") + 12 : command.index(", roles")]
    assert json.loads(quoted) == subject
