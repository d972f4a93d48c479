"""What is written about the software is what the software does."""

import re
from pathlib import Path

import pytest

from docs.generate import pages
from indexer import __version__
from tests.conftest import ROOT


@pytest.mark.parametrize("file", pages(), ids=lambda file: file.name)
def test_a_generated_page_is_up_to_date(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == pages()[file], "run `make docs`"


def test_the_changelog_and_the_package_name_the_version() -> None:
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("page", ["comparison.md", "threat-model.md"])
def test_every_test_that_is_named_as_a_proof_exists(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", text)
    assert len(named) == text.count("::")
    assert [name for name in named if not _exists(*name)] == []


def _exists(file: str, name: str) -> bool:
    path = ROOT / "tests" / file
    return path.is_file() and re.search(rf"def {name}\(", path.read_text()) is not None
