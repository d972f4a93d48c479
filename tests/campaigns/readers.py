"""Services that answer while the index is compacted and the catalogue restored under them.

python -m tests.campaigns.readers --seed 1 --size 100
"""

import multiprocessing
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from indexer.config import Settings, StorageSettings
from indexer.errors import UnknownProductError
from indexer.search import Answer
from service.engine.collections import SearchService
from tests.campaigns.command import Counts, main
from tests.campaigns.shop import EVERYTHING, NAMES, Shop, State, operation_of, require_answer
from tests.fakes import FakeEmbedder
from tests.processes import wait_for

_READERS = 2
_VISIBLE_S = 1.0


def run(seed: int, size: int) -> Counts:
    """Swaps what services search in `size` times, and requires each answer to be that of one `seq`.

    Raises:
        AssertionError: an answer was wrong, or a change was not seen within a second.
    """
    random = Random(seed)
    context = multiprocessing.get_context("spawn")
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        shop.do(operation_of("put", random, {}, {}))
        pipes = [context.Pipe() for _ in range(_READERS)]
        readers = [
            context.Process(target=_read, args=(Path(folder), theirs, seed + number))
            for number, (_, theirs) in enumerate(pipes)
        ]
        for reader in readers:
            reader.start()
        for ours, _ in pipes:
            assert ours.recv() == "ready"
        history = _swap(shop, random, size)
        last = max(history)
        counts = Counter[str]({"swaps": size})
        for (ours, _), reader in zip(pipes, readers, strict=True):
            ours.send(last)
            answers: list[tuple[str, Answer]] = ours.recv()
            reader.join()
            for product_id, answer in answers:
                require_answer(answer, product_id, history[answer.seq])
            counts["answers"] += len(answers)
            counts["states seen"] += len({answer.seq for _, answer in answers})
        shop.close()
    return counts


def _swap(shop: Shop, random: Random, size: int) -> dict[int, State]:
    """What the shop held, by `seq`."""
    state = shop.state()
    history = {_seq(shop): state}
    snapshots: dict[str, State] = {}
    for number in range(size):
        swap = "restore" if number % 2 and snapshots else "compact"
        sometimes = ["snapshot"] if number % 10 == 0 else ["neighbours"] if number % 3 == 0 else []
        for kind in ("put", "remove", swap, *sometimes):
            operation = operation_of(kind, random, state, snapshots)
            name = shop.do(operation)
            state = operation.on(state, snapshots)
            if name:
                snapshots[name] = state
            history[_seq(shop)] = state
    return history


def _seq(shop: Shop) -> int:
    with shop.catalog.reader() as snapshot:
        return snapshot.seq


def _read(folder: Path, pipe: Connection, seed: int) -> None:
    """Searches all the time, until the `seq` that is sent has been seen."""
    random, answers = Random(seed), list[tuple[str, Answer]]()
    settings = Settings(storage=StorageSettings(data_dir=folder / "data"))
    service = SearchService(settings, load=lambda _: FakeEmbedder())
    service.start()
    wait_for(lambda: service.states()[0].status == "ready", "opening the shop")
    searcher = service.searcher("default")
    pipe.send("ready")
    while not pipe.poll():
        product_id = random.choice(NAMES)
        try:
            answer = searcher.by_product(product_id, EVERYTHING, include_itself=True)
        except UnknownProductError:
            continue  # removed at present
        answers.append((product_id, answer))
    last = pipe.recv()
    wait_for(lambda: searcher.store.seq == last, "seeing the last change", _VISIBLE_S)
    service.stop()
    pipe.send(answers)


if __name__ == "__main__":
    main(run, size=100)
