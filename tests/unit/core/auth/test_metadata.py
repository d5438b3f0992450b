"""The client document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomongo_tls.core.auth.metadata import ClientEnvironment, client_document
from aiomongo_tls.core.options.driver_info import DriverInfo
from aiomongo_tls.errors import ConfigurationError
from aiomongo_tls.version import __version__

LINUX = ClientEnvironment(
    os_type="Linux",
    os_name="Debian GNU/Linux 12 (bookworm)",
    os_architecture="x86_64",
    os_version="6.1.0-13-amd64",
    implementation="CPython",
    python_version=(3, 11, 7, "final", 0),
)


def with_variables(**variables: str) -> ClientEnvironment:
    return replace(LINUX, variables=variables)


def size(document: Mapping[str, Any]) -> int:
    return len(bson.encode(document))


def test_whole_document():
    """A usual machine tells driver, operating system and interpreter, in this order, and no more."""
    assert list(client_document(LINUX).items()) == [
        ("driver", {"name": "aiomongo_tls", "version": __version__}),
        (
            "os",
            {
                "type": "Linux",
                "name": "Debian GNU/Linux 12 (bookworm)",
                "architecture": "x86_64",
                "version": "6.1.0-13-amd64",
            },
        ),
        ("platform", "CPython 3.11.7.final.0"),
    ]


def test_unknown_machine():
    """Where nothing is known, the required fields are there all the same."""
    assert client_document(ClientEnvironment()) == {
        "driver": {"name": "aiomongo_tls", "version": __version__},
        "os": {"type": "unknown"},
        "platform": "Python",
    }


def test_application_name_only_if_given():
    """There is no default for the application's name."""
    assert client_document(LINUX, app_name="billing")["application"] == {"name": "billing"}
    assert "application" not in client_document(LINUX, app_name=None)
    assert "application" not in client_document(LINUX, app_name="")


def test_application_name_too_long():
    """128 bytes of UTF-8 are the limit; 64 two-byte letters still fit."""
    assert client_document(LINUX, app_name="é" * 64)["application"]["name"] == "é" * 64
    with pytest.raises(ConfigurationError, match="appName"):
        client_document(LINUX, app_name="é" * 64 + "x")


@pytest.mark.parametrize(
    ("driver", "name", "version", "platform"),
    [
        (DriverInfo("framework", "2.0", "Framework Platform"), "|framework", "|2.0", "|Framework Platform"),
        (DriverInfo("framework", "2.0"), "|framework", "|2.0", ""),
        (DriverInfo("framework", None, "Framework Platform"), "|framework", "", "|Framework Platform"),
        (DriverInfo("framework"), "|framework", "", ""),
        (DriverInfo("framework", "", ""), "|framework", "", ""),
    ],
)
def test_libraries_are_appended(driver: DriverInfo, name: str, version: str, platform: str):
    """A library on top appends what it gives; fields that it does not give stay as they are."""
    library = DriverInfo("library", "1.2", "Library Platform")
    document = client_document(LINUX, drivers=[library, driver])
    assert document["driver"]["name"] == "aiomongo_tls|library" + name
    assert document["driver"]["version"] == f"{__version__}|1.2{version}"
    assert document["platform"] == "CPython 3.11.7.final.0|Library Platform" + platform


def test_same_library_twice_counts_once():
    """A library equal to an earlier one, an empty string being none, is not appended again."""
    a, b = DriverInfo("a", "1", None), DriverInfo("b", "1", "p")
    document = client_document(LINUX, drivers=[a, b, DriverInfo("a", "1", ""), b])
    assert document == client_document(LINUX, drivers=[a, b])
    assert document["driver"]["name"] == "aiomongo_tls|a|b"
    assert client_document(LINUX, drivers=[a, DriverInfo("a", "2")])["driver"]["name"] == "aiomongo_tls|a|a"


AWS = {"AWS_EXECUTION_ENV": "AWS_Lambda_java8", "AWS_REGION": "us-east-2", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024"}
AWS_ENV = {"name": "aws.lambda", "region": "us-east-2", "memory_mb": 1024}


@pytest.mark.parametrize(
    ("variables", "env"),
    [
        pytest.param(AWS, AWS_ENV, id="aws"),
        pytest.param({"AWS_LAMBDA_RUNTIME_API": "x"}, {"name": "aws.lambda"}, id="aws by runtime api"),
        pytest.param({"FUNCTIONS_WORKER_RUNTIME": "node"}, {"name": "azure.func"}, id="azure"),
        pytest.param(
            {
                "K_SERVICE": "servicename",
                "FUNCTION_MEMORY_MB": "1024",
                "FUNCTION_TIMEOUT_SEC": "60",
                "FUNCTION_REGION": "us-central1",
            },
            {"name": "gcp.func", "memory_mb": 1024, "timeout_sec": 60, "region": "us-central1"},
            id="gcp",
        ),
        pytest.param({"FUNCTION_NAME": "f"}, {"name": "gcp.func"}, id="gcp by function name"),
        pytest.param({"VERCEL": "1", "VERCEL_REGION": "cdg1"}, {"name": "vercel", "region": "cdg1"}, id="vercel"),
        pytest.param({**AWS, "VERCEL": "1"}, {"name": "vercel"}, id="vercel beats aws"),
        pytest.param({**AWS, "FUNCTIONS_WORKER_RUNTIME": "node"}, None, id="two providers"),
        pytest.param({"VERCEL": "1", "K_SERVICE": "s"}, None, id="vercel and another"),
        pytest.param({**AWS, "VERCEL": "1", "K_SERVICE": "s"}, None, id="three providers"),
        pytest.param({**AWS, "AWS_REGION": "a" * 512}, {"name": "aws.lambda"}, id="long region"),
        pytest.param(
            {**AWS, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "big"},
            {"name": "aws.lambda", "region": "us-east-2"},
            id="memory is no number",
        ),
        pytest.param({"AWS_EXECUTION_ENV": "EC2"}, None, id="not lambda"),
        pytest.param({"VERCEL": ""}, None, id="empty variable"),
        pytest.param(
            {**AWS, "KUBERNETES_SERVICE_HOST": "1"},
            {**AWS_ENV, "container": {"orchestrator": "kubernetes"}},
            id="function in a container",
        ),
        pytest.param(
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, {"container": {"orchestrator": "kubernetes"}}, id="kubernetes"
        ),
        pytest.param({"KUBERNETES_SERVICE_HOST": ""}, None, id="empty host"),
    ],
)
def test_env(variables: dict[str, str], env: dict[str, Any] | None):
    """Functions as a service and containers are recognised by the specification's variables."""
    assert client_document(with_variables(**variables)).get("env") == env


def test_docker():
    """The file /.dockerenv tells of Docker."""
    environment = replace(LINUX, dockerenv=True)
    assert client_document(environment)["env"] == {"container": {"runtime": "docker"}}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("2147483647", 2147483647),
        ("0000000512", 512),
        ("2147483648", None),
        ("99999999999999999999", None),
        ("-1", None),
        ("1.5", None),
        (" 1", None),
        ("1_0", None),
        ("\u0663", None),  # a digit, but not of ASCII
        ("", None),
    ],
)
def test_numbers_are_int32(text: str, number: int | None):
    """A variable that is no int32 is left out."""
    env = client_document(with_variables(K_SERVICE="s", FUNCTION_MEMORY_MB=text))["env"]
    assert env.get("memory_mb") == number


def test_bytes_that_are_not_utf8():
    """An environment variable that is not UTF-8 does not make the document unencodable."""
    document = client_document(with_variables(VERCEL="1", VERCEL_REGION="r\udcff"), app_name="\ud800")
    assert document["env"]["region"] == "r?"
    assert bson.decode(bson.encode(document)) == document


class TestLimit:
    """512 bytes, by the specification's steps. Each step is taken only where those before do not suffice."""

    ENVIRONMENT = replace(LINUX, variables={**AWS, "KUBERNETES_SERVICE_HOST": "1"}, dockerenv=True)

    def document(self, filler: int) -> dict[str, Any]:
        """The document with a version so long that it would have 512 bytes and `filler` more."""
        room = 512 - size(client_document(self.ENVIRONMENT))
        return client_document(self.ENVIRONMENT, drivers=[DriverInfo("", "v" * (room + filler - 1))])

    def test_just_fits(self):
        """512 bytes are allowed, and nothing is left out."""
        document = self.document(0)
        assert size(document) == 512
        assert document["env"] == {**AWS_ENV, "container": {"runtime": "docker", "orchestrator": "kubernetes"}}

    def test_first_env_but_its_name(self):
        """One byte more costs the fields of env, but not its name, and nothing else."""
        document = self.document(1)
        assert document["env"] == {"name": "aws.lambda"}
        assert document["os"] == client_document(LINUX)["os"]

    def test_env_without_a_name_goes_altogether(self):
        """An env of nothing but a container is not left behind empty."""
        environment = replace(LINUX, dockerenv=True)
        room = 512 - size(client_document(environment))
        document = client_document(environment, drivers=[DriverInfo("", "v" * room)])
        assert "env" not in document
        assert document["os"] == client_document(LINUX)["os"]

    # Without the fields of env there are 102 bytes less: region 22, memory_mb 15, container 65. Those of os are 94:
    # name 41, architecture 25, version 28. Env with its name alone is 31: 5 + 4 + 21 + 1.
    @pytest.mark.parametrize(
        ("filler", "expected_os", "expected_env", "platform"),
        [
            (102, LINUX, {"name": "aws.lambda"}, "CPython 3.11.7.final.0"),
            (103, None, {"name": "aws.lambda"}, "CPython 3.11.7.final.0"),
            (196, None, {"name": "aws.lambda"}, "CPython 3.11.7.final.0"),
            (197, None, None, "CPython 3.11.7.final.0"),
            (227, None, None, "CPython 3.11.7.final.0"),
            (228, None, None, "CPython 3.11.7.final."),
            (248, None, None, "C"),
            (249, None, None, None),
        ],
    )
    def test_steps(
        self,
        filler: int,
        expected_os: ClientEnvironment | None,
        expected_env: dict[str, str] | None,
        platform: str | None,
    ):
        """Next go the fields of os but its type, then env, then the end of platform; each at the byte where it must."""
        document = self.document(filler)
        assert document["os"] == (client_document(expected_os)["os"] if expected_os else {"type": "Linux"})
        assert document.get("env") == expected_env
        assert document.get("platform") == platform
        assert size(document) <= 512

    def test_platform_is_cut_between_letters(self):
        """A letter of several bytes is not cut in two."""
        driver = DriverInfo("library", "1", "é" * 300)
        document = client_document(ClientEnvironment(implementation="P"), drivers=[driver])
        assert document["platform"].startswith("P|é")
        assert set(document["platform"]) == {"P", "|", "é"}
        assert size(document) in (511, 512)

    def test_at_last_the_libraries(self):
        """What is still too long is the libraries' names; the server must not refuse us for them."""
        document = client_document(self.ENVIRONMENT, app_name="a" * 128, drivers=[DriverInfo("x" * 600, "1")])
        assert document == {
            "application": {"name": "a" * 128},
            "driver": {"name": "aiomongo_tls", "version": __version__},
            "os": {"type": "Linux"},
        }

    def test_environment_is_not_changed(self):
        """Building a document leaves the facts alone."""
        before = dict(self.ENVIRONMENT.variables)
        self.document(300)
        assert self.ENVIRONMENT.variables == before


def test_repr_hides_the_variables():
    """The environment may hold secrets."""
    assert "hunter2" not in repr(with_variables(PASSWORD="hunter2"))


VARIABLES = (
    "AWS_EXECUTION_ENV",
    "AWS_REGION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "FUNCTION_NAME",
    "FUNCTION_REGION",
    "VERCEL",
    "VERCEL_REGION",
    "KUBERNETES_SERVICE_HOST",
)
texts = st.sampled_from(["", "x", "AWS_Lambda_x", "é", "\ud800", "7"]).flatmap(
    lambda text: st.integers(1, 300).map(lambda times: text * times)
)


@given(
    st.builds(
        ClientEnvironment,
        os_type=st.sampled_from(["", "Linux"]),
        os_name=texts,
        os_version=texts,
        implementation=texts,
        variables=st.dictionaries(st.sampled_from(VARIABLES), texts),
        dockerenv=st.booleans(),
    ),
    st.lists(st.builds(DriverInfo, texts, st.none() | texts, st.none() | texts), max_size=3),
)
def test_any_environment_fits(environment: ClientEnvironment, drivers: list[DriverInfo]):
    """Whatever the machine says, the document can be sent and has the required fields."""
    document = client_document(environment, drivers=drivers)
    assert size(document) <= 512
    assert document["driver"]["name"].startswith("aiomongo_tls")
    assert document["os"]["type"]
