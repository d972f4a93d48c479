"""The load benchmark in small: it starts the real service and finds every number of its rows."""

import json
import subprocess
from pathlib import Path

from tests.processes import UNTRAINED, start


def test_the_load_benchmark_measures_the_service(tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    size = ["--products", "50", "--seconds", "0.3"]
    process = start(
        *("-m", "benchmarks.service_load", *size, "--only", "ready", "photo", "similar"),
        *("--data", str(tmp_path), "--json", str(rows)),
        data_dir=tmp_path,
        settings=UNTRAINED,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = process.communicate(timeout=120)[0].decode()
    assert process.returncode == 0, said
    found = {row["what"]: row["found"] for row in json.loads(rows.read_text())["rows"]}
    assert found["new photos, 1 client: rate"] > 0
    assert found["product ids, 64 clients: rate"] > 0
    assert {found[name] for name in found if name.endswith("errors")} == {0}
