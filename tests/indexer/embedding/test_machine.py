"""What a process may use of the machine."""

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from indexer.embedding import available_cores, available_memory
from indexer.embedding.machine import core_limit, memory_limit

GIB = 1024**3


@pytest.mark.parametrize(
    ("own_group", "files", "cores", "memory"),
    [
        ("0::/", {}, math.inf, math.inf),
        ("0::/", {"cpu.max": "max 100000", "memory.max": "max"}, math.inf, math.inf),
        ("0::/", {"cpu.max": "150000 100000", "memory.max": f"{GIB}"}, 1.5, GIB),
        ("0::/shop/web", {"shop/cpu.max": "200000 100000"}, 2, math.inf),
        (
            "0::/shop/web",
            {"shop/memory.max": f"{2 * GIB}", "shop/web/memory.max": f"{4 * GIB}"},
            math.inf,
            2 * GIB,
        ),
        # A container sees its own group as the root, and the path that the machine gave it.
        ("0::/docker/1f3", {"cpu.max": "50000 100000"}, 0.5, math.inf),
        (
            "4:memory:/docker/1f3\n2:cpu,cpuacct:/docker/1f3",
            {
                "cpu/cpu.cfs_quota_us": "300000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": f"{GIB}",
            },
            3,
            GIB,
        ),
        ("2:cpu:/", {"cpu/cpu.cfs_quota_us": "-1"}, math.inf, math.inf),
    ],
)
def test_control_groups_limit_cores_and_memory(
    tmp_path: Path, own_group: str, files: Mapping[str, str], cores: float, memory: float
) -> None:
    (tmp_path / "own").write_text(own_group + "\n")
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert core_limit(tmp_path / "groups", tmp_path / "own") == cores
    assert memory_limit(tmp_path / "groups", tmp_path / "own") == memory


def test_there_is_a_core_and_memory_to_compute_with() -> None:
    assert available_cores() >= 1
    assert available_memory() > GIB / 4
