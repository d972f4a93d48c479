"""How the processes of the service divide the machine."""

from importlib.util import find_spec

import pytest

from indexer.config import CollectionSettings, EmbeddingSettings, ServiceSettings, Settings
from service.engine.sizing import model_threads, thumbnail_threads, worker_count

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


@pytest.mark.parametrize(
    ("cores", "workers", "threads"), [(2, 2, 1), (16, 1, 8), (16, 4, 2), (16, 16, 1)]
)
def test_thumbnails_take_half_of_the_cores_over_all_processes(
    cores: int, workers: int, threads: int
) -> None:
    assert thumbnail_threads(cores, workers) == threads


@pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")
@pytest.mark.parametrize(
    ("models", "workers"),
    [
        (["vgg16"], 12),
        (["clip.onnx"], 12),
        (["resnet50"], 5),
        (["own.keras"], 5),
        (["vgg16", "a.onnx"], 9),
    ],
)
def test_a_model_that_needs_tensorflow_and_another_model_take_more_memory(
    models: list[str], workers: int
) -> None:
    first, *others = (EmbeddingSettings(model=model, engine="openvino") for model in models)
    collections = {
        f"c{n}": CollectionSettings(embedding={"model": each.model})
        for n, each in enumerate(others)
    }
    settings = Settings(embedding=first, collections=collections)
    assert worker_count(settings, cores=16, memory=16 * GIB) == workers


def test_the_setting_decides_if_it_is_a_number() -> None:
    settings = Settings(service=ServiceSettings(workers=3))
    assert worker_count(settings, cores=1, memory=GIB) == 3
