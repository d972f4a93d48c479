"""`pip install .` gives a package that works away from the checkout."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy, as building writes beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("indexer", "service"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", ".", cwd=folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


def _pip(*arguments: str, cwd: Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_wheel_has_the_weights_the_page_and_nothing_else_than_the_product(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "indexer", "service"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(tracked) <= names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "indexer",
        "service",
    }


def test_the_installed_command_is_the_indexer(wheel: Path, tmp_path: Path) -> None:
    _pip("install", "--no-deps", "--target", "site", str(wheel), cwd=tmp_path)
    command = [sys.executable, str(tmp_path / "site" / "bin" / "product-search")]

    def run(arguments: Sequence[str]) -> str:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
        done = subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert "product-search [OPTIONS] COMMAND" in run(["--help"])
    assert '"weights": "fashion-2"' in run(["status", "--json"])
