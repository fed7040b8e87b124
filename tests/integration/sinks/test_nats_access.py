"""Every way to log in, against a real server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from smartstream.brokers.nats_access import NatsAccess
from smartstream.errors import InvalidInputError
from smartstream.sinks.nats import prepare
from smartstream.testing.broker import Broker


def test_user_and_token_also_in_the_address(tmp_path: Path, program: Path) -> None:
    with Broker(tmp_path / "user", program) as broker:
        prepare(NatsAccess(url=broker.access.url.replace("//", "//tester:secret@")))
    with Broker(tmp_path / "token", program, authorization={"token": "s3cr3t"}) as broker:
        prepare(NatsAccess(url=broker.access.url, token="s3cr3t"))
        prepare(NatsAccess(url=broker.access.url.replace("//", "//s3cr3t@")))
        with pytest.raises(InvalidInputError, match="credentials refused"):
            prepare(NatsAccess(url=broker.access.url, token="wrong"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_tls(tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = {"cert_file": str(certificate), "key_file": str(key)}
    with Broker(tmp_path / "broker", program, tls=tls) as broker:
        access = NatsAccess(url=broker.access.url.replace("nats:", "tls:"), user="tester", password="secret")
        with pytest.raises(InvalidInputError, match="not trusted"):
            prepare(access)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        prepare(access)


def test_no_password_leaves_without_tls(broker: Broker) -> None:
    access = NatsAccess(url=broker.access.url.replace("nats:", "tls:"), user="tester", password="secret")
    with pytest.raises(InvalidInputError, match="offers no TLS"):
        prepare(access)
