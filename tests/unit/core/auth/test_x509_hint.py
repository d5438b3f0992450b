"""Why a server refused a certificate."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aiomongo_tls.core.auth.facts import ConnectionFacts
from aiomongo_tls.core.auth.x509_hint import create_user, x509_hint

SUBJECT = "CN=ada,OU=clients,O=Example"
FACTS = ConnectionFacts(tls=True, certificate=True, subject=SUBJECT, database="app")


def test_without_tls():
    """Without TLS there is no certificate, whatever files are configured."""
    assert "add tls=true" in x509_hint(replace(FACTS, tls=False), user=None, code=17)


def test_without_certificate():
    """With TLS but no certificate, the option to set is named."""
    facts = replace(FACTS, certificate=False, subject=None)
    assert "tlsCertificateKeyFile" in x509_hint(facts, user=None, code=18)


def test_user_is_not_the_subject():
    """A user name that is not the subject is the likely mistake, and both are shown."""
    hint = x509_hint(FACTS, user="CN=ada", code=18)
    assert "'CN=ada'" in hint
    assert repr(SUBJECT) in hint
    assert "leave the user name out" in hint


def test_tls_ends_elsewhere():
    """A server that sees no TLS although we use it stands behind something that ends it."""
    assert "ends TLS" in x509_hint(FACTS, user=None, code=17)


@pytest.mark.parametrize("user", [None, SUBJECT])
def test_unknown_user(user: str | None):
    """Otherwise the user is missing, and the command to create it can be pasted."""
    hint = x509_hint(FACTS, user=user, code=18)
    assert (
        'db.getSiblingDB("$external").runCommand({createUser: "CN=ada,OU=clients,O=Example", '
        'roles: [{role: "readWrite", db: "app"}]})'
    ) in hint
    assert "O, OU and DC" in hint


def test_subject_not_known_here():
    """Where the subject cannot be read, the command that shows it is given."""
    facts = replace(FACTS, subject=None, database=None)
    hint = x509_hint(facts, user=None, code=18)
    assert "openssl x509 -noout -subject -nameopt RFC2253" in hint
    assert 'createUser: "<subject>", roles: [{role: "readWrite", db: "test"}]' in hint


def test_user_given_but_subject_not_known_here():
    """The user name given is only right if it is the subject."""
    hint = x509_hint(replace(FACTS, subject=None), user="CN=ada", code=18)
    assert "'CN=ada', if that is the certificate's subject" in hint
    assert 'createUser: "CN=ada"' in hint


@pytest.mark.parametrize("subject", ['CN="a\\,b"', "CN=Zoë", "CN=a\\0Ab"])
def test_quoting(subject: str):
    """The name is a JavaScript string that means the subject, whatever is in it."""
    command = create_user(subject)
    quoted = command[command.index("createUser: ") + 12 : command.index(", roles")]
    assert json.loads(quoted) == subject
