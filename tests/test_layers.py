"""Heavy libraries stay in their rooms, and `indexer` knows nothing of `service`."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT

# library -> the folders that may import it
ROOMS = {
    "tensorflow": ["indexer/embedding/engines"],
    "keras": ["indexer/embedding/engines", "indexer/embedding/finetuning.py"],
    "openvino": ["indexer/embedding/engines"],
    "faiss": ["indexer/store/embedded/index"],
    "flask": ["service/__init__.py", "service/api", "service/http", "service/access"],
    "werkzeug": ["service/api", "service/http", "service/access"],
    "gunicorn": ["service/server"],
    "prometheus_client": ["service/engine/metrics.py", "service/gunicorn.conf.py"],
    "click": ["indexer/cli"],
    "rich": ["indexer/cli"],
    "sqlite3": [
        "indexer/sqlite",
        "indexer/store/embedded/catalog",
        "indexer/events",
        "service/access",
    ],
    "jinja2": ["indexer/pages"],
    "orjson": ["indexer/store/embedded/catalog"],
    "pymilvus": ["indexer/store/milvus"],
    "grpc": ["indexer/store/milvus"],
    "pyarrow": ["indexer/feeds"],
    "limits": ["service/access"],
    "multipart": ["service/http"],
    "urllib3": ["indexer/fetch"],
    "service": ["service"],
}
# package of `indexer` -> packages of `indexer` that it may import
MAY_IMPORT: dict[str, set[str]] = {
    "validation": set(),
    "images": set(),
    "config": {"images", "validation"},
    "fetch": {"config", "images"},
    "feeds": {"fetch"},
    "embedding": {"config", "images", "validation"},
    "store": set(),
    "sqlite": set(),
    "store/embedded": {"sqlite", "store"},
    "store/milvus": {"config", "store"},
    "backend": {"config", "maintenance", "store", "store/embedded", "store/milvus"},
    "search": {"embedding", "fetch", "images", "store", "validation"},
    "evaluation": {"embedding", "events", "feeds", "fetch", "images", "pages", "store"},
    "pages": {"images"},
    "audit": {"evaluation", "fetch", "images", "pages", "store"},
    "training": {"config", "embedding", "evaluation", "images"},
    "events": {"feeds", "search", "sqlite", "store"},
    "access": set(),
    "ingest": {"embedding", "feeds", "fetch", "images", "search", "store", "store/embedded"},
    "interchange": {"embedding", "feeds", "fetch", "store", "store/embedded"},
    "maintenance": {
        "access",
        "config",
        "embedding",
        "events",
        "feeds",
        "ingest",
        "sqlite",
        "store",
        "store/embedded",
    },
}
# room of `service` -> rooms of `service` that it may not import
BELOW = {
    "service/engine": ["service.api", "service.http", "service.access", "service.server"],
    "service/http": ["service.api"],
    "service/access": ["service.api", "service.engine"],
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


def package_of(parts: Sequence[str]) -> str:
    """The package of `indexer` that a path or a module is in; empty for the modules beside them."""
    if parts[:2] in (("store", "embedded"), ("store", "milvus")):
        return "/".join(parts[:2])
    return parts[0] if parts and (ROOT / "indexer" / parts[0]).is_dir() else ""


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_of_the_indexer_imports_only_those_below_it(package: str) -> None:
    for source in SOURCES:
        if source.parts[0] == "indexer" and package_of(source.parts[1:-1]) == package:
            for module in imports(source):
                root, *parts = module.split(".")
                wanted = package_of(tuple(parts)) if root == "indexer" else ""
                allowed = {"", package, *MAY_IMPORT[package]}
                assert wanted in allowed, f"{source} imports {module}"


def test_every_package_of_the_indexer_but_the_command_line_has_a_rule() -> None:
    packages = {
        package_of(source.parts[1:-1]) for source in SOURCES if source.parts[0] == "indexer"
    }
    assert packages - {"", "cli"} == MAY_IMPORT.keys()


@pytest.mark.parametrize("package", ["indexer", "service"])
def test_few_modules_stand_beside_the_packages(package: str) -> None:
    entry = {"__init__", "__main__", "wsgi", "gunicorn.conf"}
    assert len({path.stem for path in (ROOT / package).glob("*.py")} - entry) <= 3


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
