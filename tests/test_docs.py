"""What is written about the software is what the software does."""

import json
import re
from pathlib import Path

import pytest

from docs.generate import pages
from indexer import __version__
from service.api.batch import BatchQuery
from service.api.search import REPEATABLE, JsonQuery, Parameters
from tests.conftest import ROOT

QUERIES = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs/queries.md").read_text(), re.M | re.S)


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


def test_every_place_that_the_architecture_names_exists() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`([a-z][\w./]*(?:/\w+|\.py))`", text)
    roots = [ROOT, ROOT / "indexer", ROOT / "service"]
    assert len(named) > 50
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


@pytest.mark.parametrize("command", QUERIES)
def test_the_queries_that_are_shown_can_be_read(command: str) -> None:
    if body := re.search(r"-d '(.*)'", command):
        sent = json.loads(body[1])
        for query in BatchQuery(**sent).queries if "queries" in sent else [sent]:
            assert JsonQuery.model_validate(query)
    fields = re.findall(r"(?:-F|--data-urlencode) '?(\w+)=([^' ]+)", command)
    values = {name: [value] if name in REPEATABLE else value for name, value in fields}
    values.pop("image", None)
    assert values or "-d '" in command or "image=" in command
    assert Parameters.model_validate(values)


@pytest.mark.parametrize("option", Parameters.model_fields)
def test_every_option_of_a_query_is_explained(option: str) -> None:
    text = (ROOT / "docs/queries.md").read_text()
    assert option in text or option in {"limit", "offset", "box", "collection"}
