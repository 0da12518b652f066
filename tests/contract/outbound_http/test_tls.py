"""The same over TLS, and whose certificate is asked for."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.outbound_http.conftest import Connect
from tests.contract.outbound_http.server import Server, answer, dripping_body, stale

from mainstay import AttemptTimeout, Bulkhead, Policy
from mainstay.core.errors import AttemptTimedOut
from mainstay.service.outbound.adapters.errors import ConnectFailed
from mainstay.service.outbound.balance import Balancer


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for ``catalog.internal`` that is its own authority, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate: install it (apt-get install openssl)")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-keyout", str(key), "-out", str(made), "-subj", "/CN=catalog.internal",
            "-addext", "subjectAltName=DNS:catalog.internal",
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    return made, key


@pytest.fixture
def server(certificate: tuple[Path, Path]) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with Server(tls=context) as one:
        yield one


@pytest.fixture
def trusting(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate[0]))


def endpoint_of(server: Server) -> Balancer:
    return Balancer([f"127.0.0.1:{server.port}"])


def test_an_endpoint_proves_that_it_is_the_host_of_the_url(
    policy: Policy, connect: Connect, server: Server, trusting: ssl.SSLContext
) -> None:
    server.on("/a", stale)
    client = connect(policy, "https://catalog.internal", tls=trusting, balancer=endpoint_of(server))
    for _ in range(2):
        assert client.request("GET", "/a").body == b"ok"
    assert server.seen[0].headers["host"] == "catalog.internal"
    assert server.count("/a") == 3


def test_one_that_proves_to_be_another_gets_nothing(
    policy: Policy, connect: Connect, server: Server, trusting: ssl.SSLContext
) -> None:
    client = connect(policy, "https://other.internal", tls=trusting, balancer=endpoint_of(server))
    with pytest.raises(ConnectFailed):
        client.request("GET", "/a")
    assert server.seen == []


def test_one_that_nobody_vouches_for_gets_nothing(
    policy: Policy, connect: Connect, server: Server
) -> None:
    client = connect(policy, "https://catalog.internal", balancer=endpoint_of(server))
    with pytest.raises(ConnectFailed):
        client.request("POST", "/a", body=b"secret")
    assert server.seen == []


def test_reads_end_in_time(connect: Connect, server: Server, trusting: ssl.SSLContext) -> None:
    policy = Policy(bulkhead=Bulkhead(), attempt_timeout=AttemptTimeout(within=0.5))
    server.on("/a", dripping_body(0.02))
    server.on("/b", answer(200))
    client = connect(policy, "https://catalog.internal", tls=trusting, balancer=endpoint_of(server))
    with pytest.raises(AttemptTimedOut):
        client.request("GET", "/a")
    assert client.request("GET", "/b").status == 200
