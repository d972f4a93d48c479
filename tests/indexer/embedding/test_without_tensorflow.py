"""With OpenVINO, the product works without TensorFlow."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT, png

SCRIPT = """
import json, sys
before = set(sys.modules)
# As if they were not installed. OpenVINO imports absl if it is there.
sys.modules |= dict.fromkeys(["tensorflow", "keras", "absl"])
from pathlib import Path
from click.testing import CliRunner
from indexer.cli import main
from indexer.config import EmbeddingSettings, load_settings
from indexer.embedding import load_embedder
from indexer.errors import EngineUnavailableError
from service import create_app
from service.engine.collections import SearchService
from tests.processes import wait_for

done = CliRunner().invoke(main, ["add", "--json", "photos"])
search = SearchService(load_settings())
search.start()
wait_for(lambda: all(s.status != "starting" for s in search.states()), "opening")
photo = Path("photos/red.png").open("rb")
found = create_app(load_settings(), search=search).test_client().post(
    "/v1/search", data={"image": photo}
)
errors = []
for changes in ({"engine": "tensorflow"}, {"model": "mobilenet_v3_large"}):
    try:
        load_embedder(EmbeddingSettings(weights="untrained", **changes))
    except EngineUnavailableError as error:
        errors.append(str(error))
search.stop()
imported = [name for name, module in sys.modules.items() if module and name not in before]
modules = {name.split(".")[0] for name in imported}
print(json.dumps([done.exit_code, found.json, errors, sorted(modules)]))
"""


def pins(name: str) -> set[str]:
    """The requirements of a file, a line each."""
    return {line for line in (ROOT / name).read_text().splitlines() if re.match(r"\w", line)}


def names(lines: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


def closure(wanted: set[str]) -> set[str]:
    """The packages and all that they need, by the metadata of what is installed."""
    found: set[str] = set()
    while wanted - found:
        name = min(wanted - found)
        found.add(name)
        needed = [Requirement(each) for each in requires(name) or []]
        wanted |= {
            canonicalize_name(each.name)
            for each in needed
            if each.marker is None or each.marker.evaluate({"extra": ""})
        }
    return found


def test_products_are_added_and_found_by_photo(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    (tmp_path / "photos").mkdir()
    for colour in ("red", "navy"):
        (tmp_path / "photos" / f"{colour}.png").write_bytes(png(colour))
    environment = {"PYTHONPATH": str(ROOT), "IMAGE_SEARCH_ACCESS_OPEN": "true"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    code, found, errors, modules = json.loads(done.stdout)
    assert code == 0
    assert [result["product_id"] for result in found["results"]] == ["red", "navy"]
    assert len(errors) == 2
    assert all("TensorFlow is not installed" in error for error in errors)
    of_tests = {"pytest", "_pytest", "hypothesis"}
    packages = packages_distributions()
    used = {canonicalize_name(each) for m in modules for each in packages.get(m, [])}
    assert used - of_tests <= names(pins("requirements-openvino.txt"))


def test_the_requirements_with_openvino_are_all_but_those_of_tensorflow() -> None:
    with_openvino = pins("requirements-openvino.txt")
    assert with_openvino <= pins("requirements.txt") | pins("requirements-dev.txt")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = names(project["dependencies"]) - {"tensorflow", "keras"}
    assert names(with_openvino) == closure({*direct, "openvino"})
