"""The README's commands work, as they stand, one after the other, in a fresh copy."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
SERVER, SUITE = "make run", "make test"
START_S = 180


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What a clone has, with the virtual environment that runs this test."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in files.splitlines():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return {**os.environ, "IMAGE_SEARCH_SERVICE_PORT": port}


@pytest.fixture
def running(copy: Path, environment: dict[str, str]) -> Iterator[None]:
    server = subprocess.Popen(SERVER.split(), cwd=copy, env=environment, start_new_session=True)
    try:
        port = environment["IMAGE_SEARCH_SERVICE_PORT"]
        wait_until_ready(f"http://localhost:{port}/readyz", server)
        yield
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert server.poll() is None, f"`{SERVER}` ended with {server.returncode}"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"not ready after {START_S} s")


@pytest.mark.skipif(not (ROOT / ".venv").is_dir(), reason="no .venv; run `make setup`")
@pytest.mark.usefixtures("running")
def test_every_command_works(copy: Path, environment: dict[str, str]) -> None:
    assert COMMANDS[:2] == [SERVER, SUITE]
    for command in COMMANDS[2:]:
        here = command.replace(":8000", f":{environment['IMAGE_SEARCH_SERVICE_PORT']}")
        done = subprocess.run(
            ["bash", "-c", here.replace("curl -s", "curl -sf")],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert (copy / "results.png").stat().st_size > 10_000
    assert list((copy / "data" / ".snapshots").rglob("manifest.json"))


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
