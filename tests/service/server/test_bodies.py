"""What the bodies of requests may take while they arrive and wait."""

from indexer.images.memory import MIB
from service.server.incoming import Incoming, Kept
from service.server.memory import Memory


def test_however_many_large_bodies_wait_small_ones_do_not() -> None:
    begun: list[int] = []
    memory = Memory(MIB)
    while not memory.is_full(MIB):
        memory.start(MIB, begun.append)
    assert len(begun) == 1
    for size in (0, 1000):
        assert not memory.is_full(size)
        memory.start(size, begun.append)
    assert begun == [MIB, 0, 0]


def test_bodies_in_files_count_until_they_are_closed() -> None:
    kept, size = Kept(64 * MIB), 40 * MIB
    bodies = [Incoming(kept, size, size) for _ in range(2)]
    for body in bodies:
        for _ in range(40):
            body.feed(bytearray(MIB))
    assert [body.complete for body in bodies] == [True, True]
    assert kept.in_files == size  # the other one fits into memory
    for body in bodies:
        body.close()
    assert kept.in_files == 0
