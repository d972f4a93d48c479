"""A real service under fire: gunicorn over a small catalogue, and what must hold whatever comes.

Its model is a fake, as it sees only what was decoded; everything before it is real.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from indexer.access.keys import Keys
from service.http.problems import Problem
from tests.bad_files import FORMATS, photo, saved
from tests.conftest import Store
from tests.processes import FAKE, Reply, Service, ask, gunicorn, multipart

MOST_MIB = 300
PRODUCTS = {"0": "red", "1": "navy", "00": "gold", "é": "green", "a/b": "salmon", "%2F": "white"}
_BUSY = {"overloaded", "deadline_exceeded"}

can_measure = Path("/proc/self/clear_refs").exists()


class Target:
    """The service, with one worker, as it was before the first shot.

    Attributes:
        url: where it answers.
        headers: with a key, so that whoever shoots gets past the door.
    """

    def __init__(self, service: Service, key: str) -> None:
        self.url = service.url
        self.headers = {"Authorization": f"Bearer {key}"}
        self._service = service
        self._worker = self._only_worker()
        for form in FORMATS:  # the decoders are loaded when they are needed
            assert self.upload(saved(photo(), form)).status == 200
        self._idle = self._memory("VmRSS:")
        Path(f"/proc/{self._worker}/clear_refs").write_text("5")  # VmHWM begins anew

    def post(self, body: bytes | Iterable[bytes], content_type: str, **headers: str) -> Reply:
        """A search; a body in pieces needs its length in `headers`."""
        headers |= {"Content-Type": content_type, **self.headers}
        return ask(self.url, "/v1/search", method="POST", body=body, headers=headers)

    def upload(self, photo: bytes, **fields: object) -> Reply:
        """A search by a photo in a form."""
        return self.post(*multipart(photo, **fields))

    def growth_mib(self) -> int:
        """How much more memory than at first the worker has had at most."""
        return self._memory("VmHWM:") - self._idle

    def require_unharmed(self) -> None:
        """
        Raises:
            AssertionError: a worker died, logged a fault or took too much memory.
        """
        log = self._service.log.read_text()
        assert self._only_worker() == self._worker, log[-5000:]
        assert log.count("Booting worker") == 1, log[-5000:]
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:5000]
        assert ask(self.url, "/readyz").status == 200
        assert self.growth_mib() < MOST_MIB, f"{self.growth_mib()} MiB more than at first"

    def _only_worker(self) -> int:
        master = self._service.process.pid
        (worker,) = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return int(worker)

    def _memory(self, key: str) -> int:
        lines = Path(f"/proc/{self._worker}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(key))


@contextmanager
def target() -> Iterator[Target]:
    """A service to shoot at, which must be unharmed at the end."""
    with TemporaryDirectory() as name:
        store = Store(Path(name) / "store")
        store.add(
            *(
                store.row(product_id, colour, title=product_id, category=colour, price=9.5)
                for product_id, colour in PRODUCTS.items()
            )
        )
        store.catalog.close()
        data_dir = store.catalog.folder.parent
        _, key = Keys(data_dir).create(["admin"], "campaign")
        with gunicorn(data_dir, Path(name) / "log", FAKE) as service:
            shot_at = Target(service, key)
            try:
                yield shot_at
                shot_at.require_unharmed()
            except BaseException as error:
                error.add_note(service.log.read_text()[-5000:])
                raise


def code_of(reply: Reply) -> str:
    """`ok`, or the code of a refusal.

    Raises:
        AssertionError: it is an error of the service, or no proper problem document.
    """
    if reply.status < 400:
        return "ok"
    assert reply.headers["Content-Type"] == "application/problem+json", reply
    problem = Problem.model_validate_json(reply.body, strict=True)
    assert problem.status == reply.status, problem
    assert reply.status < 500 or problem.code in _BUSY, problem
    return problem.code


def is_busy(code: str) -> bool:
    """Whether the same request may be sent again."""
    return code in _BUSY
