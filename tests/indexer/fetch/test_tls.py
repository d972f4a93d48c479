"""Photos over TLS."""

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.errors import (
    FetchError,
)
from tests.indexer.fetch.conftest import source
from tests.photo_server import HOST, PHOTO, PhotoServer, dripping, running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for HOST that nobody has signed, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    file = tmp_path_factory.mktemp("tls") / "photos.pem"
    new = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    name = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    files = ["-keyout", str(file), "-out", str(file.with_suffix(".crt"))]
    subprocess.run([*new.split(), *name, *files], check=True, capture_output=True)
    file.write_text(file.read_text() + file.with_suffix(".crt").read_text())
    return file


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[PhotoServer]:
    server = PhotoServer()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with running(server):
        yield server


def test_a_certificate_that_nobody_signed_is_refused(tls_server: PhotoServer) -> None:
    with pytest.raises(FetchError, match="self-signed certificate"):
        source(f"{HOST}:{tls_server.port}").read(f"https://{HOST}:{tls_server.port}/a.jpg")
    assert tls_server.requests == []


def test_a_certificate_must_be_for_the_host_of_the_url(
    tls_server: PhotoServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(certificate))
    photos = source(f"{HOST}:{tls_server.port}", f"other.example:{tls_server.port}")
    assert photos.read(f"https://{HOST}:{tls_server.port}/a.jpg") == PHOTO
    with pytest.raises(FetchError, match=r"not valid for 'other\.example'"):
        photos.read(f"https://other.example:{tls_server.port}/a.jpg")


def test_a_dripping_tls_server_is_cut_off_in_time(
    tls_server: PhotoServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(certificate))
    tls_server.answers = [dripping]
    with pytest.raises(FetchError, match=r"was not received within 0\.3 seconds"):
        source(f"{HOST}:{tls_server.port}", seconds=0.3).read(
            f"https://{HOST}:{tls_server.port}/a.jpg"
        )
