"""How the processes of the service divide the machine."""

import pytest

from indexer.config import EmbeddingSettings, ServiceSettings, Settings
from service.engine.sizing import model_threads, worker_count

GIB = 1024**3
WITH_TENSORFLOW = EmbeddingSettings(engine="tensorflow")


@pytest.mark.parametrize(
    ("cores", "memory", "workers", "threads"),
    [
        (1, 24 * GIB, 1, 1),
        (2, 24 * GIB, 2, 2),
        (4, 24 * GIB, 4, 2),
        (4, 8 * GIB, 2, 4),
        (16, 64 * GIB, 16, 2),
        (16, 16 * GIB, 5, 7),
        (16, 2 * GIB, 1, 16),
        (2, GIB // 2, 1, 2),
    ],
)
def test_there_is_a_process_for_each_core_as_far_as_memory_allows(
    cores: int, memory: int, workers: int, threads: int
) -> None:
    settings = Settings(embedding=WITH_TENSORFLOW)
    assert worker_count(settings, cores, memory) == workers
    assert model_threads(cores, workers) == threads


def test_the_setting_decides_if_it_is_a_number() -> None:
    settings = Settings(service=ServiceSettings(workers=3))
    assert worker_count(settings, cores=1, memory=GIB) == 3
