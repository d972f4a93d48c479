"""Several processes behave as one service."""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.conftest import Store
from tests.processes import FAKE, Service, ask, gunicorn, wait_for

LOAD_S = 1.0
SIMILAR = "/v1/products/red/similar"


@contextmanager
def two_processes(store: Store, log: Path, **settings: str) -> Iterator[Service]:
    """A service of which one process takes longer to load the model."""
    store.add(store.row("red", "red"), store.row("navy", "navy"))
    settings = {"IMAGE_SEARCH_SERVICE_WORKERS": "2", "LOAD_S": str(LOAD_S)} | settings
    with gunicorn(store.catalog.folder.parent, log, FAKE, settings) as service:
        yield service


def workers_of(service: Service) -> set[int]:
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    return set(map(int, children.read_text().split()))


def started_since(service: Service, before: set[int]) -> set[int]:
    return workers_of(service) - before


def test_once_the_service_is_ready_every_process_answers_within_one_limit(
    store: Store, tmp_path: Path
) -> None:
    limit = {"IMAGE_SEARCH_ACCESS_RATE_LIMIT_PER_ADDRESS": "40/hour"}
    with two_processes(store, tmp_path / "log", **limit) as service:
        # Each connection is new, so that both processes get some.
        codes = [ask(service.url, SIMILAR).status for _ in range(45)]
    assert codes == [200] * 40 + [429] * 5


def test_a_process_that_replaces_another_one_gets_no_request_until_it_can_answer(
    store: Store, tmp_path: Path
) -> None:
    with two_processes(store, tmp_path / "log") as service:
        for pid in workers_of(service):  # then the first replacement has to answer
            before = workers_of(service)
            os.kill(pid, signal.SIGKILL)
            wait_for(partial(started_since, service, before), "replacing")
            codes, end = set(), time.monotonic() + LOAD_S + 0.5
            while time.monotonic() < end:
                codes |= {ask(service.url, SIMILAR).status, ask(service.url, "/readyz").status}
            assert codes == {200}


def test_after_a_reload_the_new_processes_answer_at_once_that_they_start(
    store: Store, tmp_path: Path
) -> None:
    with two_processes(store, tmp_path / "log", LOAD_S="4") as service:
        before = workers_of(service)
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not before & workers_of(service), "replacing")
        assert ask(service.url, "/healthz").status == 200
        assert ask(service.url, "/readyz").status == 503


def test_a_reload_with_wrong_settings_keeps_those_of_before(store: Store, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("service: {max_in_flight: 3}\n")
    with two_processes(store, tmp_path / "log", IMAGE_SEARCH_CONFIG=str(config)) as service:
        before = workers_of(service)
        config.write_text("service: {max_in_flight: banana}\n")
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not before & workers_of(service), "replacing")
        wait_for(lambda: ask(service.url, "/readyz").status == 200, "readiness")
        assert ask(service.url, SIMILAR).status == 200
        assert "the settings of before stay in use" in service.log.read_text()


def test_a_process_starts_although_the_files_that_all_share_were_removed(
    store: Store, tmp_path: Path
) -> None:
    with two_processes(store, tmp_path / "log") as service:
        before = workers_of(service)
        folders = shared_folders(service)
        assert folders
        for folder in folders:
            shutil.rmtree(folder)
        os.kill(min(before), signal.SIGKILL)
        wait_for(partial(started_since, service, before), "replacing")
        os.kill(max(before), signal.SIGKILL)
        wait_for(lambda: ask(service.url, "/readyz").status == 200, "readiness")
        assert ask(service.url, SIMILAR).status == 200


def shared_folders(service: Service) -> set[Path]:
    """The folders of the files that a process of the service has in memory."""
    maps = Path(f"/proc/{min(workers_of(service))}/maps").read_text()
    return {Path(found).parent for found in re.findall(r"\S+/image-search-\w+/\S+\.db", maps)}
