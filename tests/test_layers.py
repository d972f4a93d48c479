"""Heavy libraries stay in their rooms, and `indexer` knows nothing of `service`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

# library -> the folders that may import it
ROOMS = {
    "tensorflow": ["indexer/embedding"],
    "keras": ["indexer/embedding"],
    "openvino": ["indexer/embedding"],
    "faiss": ["indexer/store/embedded/index"],
    "flask": ["service/__init__.py", "service/api", "service/http", "service/access"],
    "werkzeug": ["service/api", "service/http", "service/access"],
    "gunicorn": ["service/server"],
    "prometheus_client": ["service/engine/metrics.py", "service/gunicorn.conf.py"],
    "click": ["indexer/cli"],
    "rich": ["indexer/cli"],
    "sqlite3": ["indexer/store/embedded/catalog", "indexer/events"],
    "orjson": ["indexer/store/embedded/catalog"],
    "pyarrow": ["indexer/feeds"],
    "limits": ["service/access"],
    "urllib3": ["indexer/fetch"],
    "service": ["service"],
}
# room of `service` -> rooms of `service` that it may not import
BELOW = {
    "service/engine": ["service.api.endpoints", "service.http", "service.access", "service.server"],
    "service/http": ["service.api.endpoints"],
    "service/access": ["service.api.endpoints", "service.engine"],
}
SOURCES = sorted(
    path.relative_to(ROOT)
    for room in ("indexer", "service")
    for path in (ROOT / room).rglob("*.py")
)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_a_library_is_imported_only_in_its_rooms(source: Path) -> None:
    for module in imports(source):
        rooms = ROOMS.get(module.split(".")[0])
        if rooms is not None:
            assert any(source.is_relative_to(room) for room in rooms), f"{source} imports {module}"


@pytest.mark.parametrize("room", BELOW)
def test_a_room_of_the_service_imports_nothing_above_it(room: str) -> None:
    for source in SOURCES:
        if source.is_relative_to(room):
            for module in imports(source):
                above = [name for name in BELOW[room] if f"{module}.".startswith(f"{name}.")]
                assert not above, f"{source} imports {module}"


def test_the_rules_find_a_breach(tmp_path: Path) -> None:
    file = tmp_path / "breach.py"
    file.write_text("def f():\n    from tensorflow import keras\n    import faiss.contrib\n")
    assert list(imports(file)) == ["tensorflow", "faiss.contrib"]
