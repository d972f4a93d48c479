"""Cores and memory that this process may use: of the machine, or of its container.

A container is limited by control groups (cgroups). Version 2 has one folder for each group, with
`cpu.max` and `memory.max`; a limit holds for all groups below. Version 1 has one tree for each
resource.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def available_cores() -> int:
    """Returns the number of cores available to this process, at least 1."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, math.ceil(min(cores, core_limit(_GROUPS, _OWN_GROUP))))


def available_memory() -> int:
    """Returns the memory available to this process and its siblings in bytes."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(min(whole, memory_limit(_GROUPS, _OWN_GROUP)))


def core_limit(groups: Path, own_group: Path) -> float:
    """Returns the cores that the control groups grant; infinity without a limit.

    Args:
        groups: folder of the control groups.
        own_group: file with the groups of this process.
    """
    limits = [math.inf]
    for folder in _folders(groups, own_group):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        if not quota:
            quota = _read(folder / "cpu.cfs_quota_us")
            period = _read(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit():  # without a limit `max`, or -1 in version 1
            limits.append(int(quota) / int(period))
    return min(limits)


def memory_limit(groups: Path, own_group: Path) -> float:
    """Returns the bytes that the control groups grant; arguments as of `core_limit`."""
    limits = [math.inf]
    for folder in _folders(groups, own_group):
        for name in ("memory.max", "memory.limit_in_bytes"):
            if (text := _read(folder / name)).isdigit():
                limits.append(int(text))
    return min(limits)


def _folders(groups: Path, own_group: Path) -> Iterator[Path]:
    """Yields the folders of the groups of this process, and of the groups around them."""
    for line in _read(own_group).splitlines():
        _, resources, group = line.split(":", 2)
        for tree in (groups, *(groups / name for name in resources.split(",") if name)):
            inner = tree / group.lstrip("/")
            yield inner
            yield from (each for each in inner.parents if each.is_relative_to(tree))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
