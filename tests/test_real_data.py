"""Real photos and real vectors, through the same code as in a store."""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from benchmarks.resize_methods import share_right
from indexer.config import EmbeddingSettings, FetchSettings
from indexer.embedding import Embedder, load_embedder, resolve_spec
from indexer.embedding.photos import PlainQueryEmbedder, prepare
from indexer.evaluation.tasks import PhotoSet
from indexer.feeds import read_feed
from indexer.fetch import PhotoSource
from indexer.images import ImageLimits
from indexer.ingest.sync import Indexer
from indexer.interchange.features import product_id_of, read_features, read_names
from indexer.interchange.transfer import import_features
from indexer.search import Searcher, SearchParameters, search_by_photos
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.store import EmbeddedStore
from indexer.training import loop
from indexer.training.base import Base
from indexer.training.checkpoint import Checkpoint
from indexer.training.examples import Examples
from indexer.training.inputs import TrainingData
from indexer.training.measuring import AFTER, BEFORE, measure
from indexer.training.run import Options, train


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder(EmbeddingSettings())


@pytest.fixture(scope="module")
def footwear(
    test_data: Path, embedder: Embedder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Searcher]:
    """The 300 footwear photos, indexed with the default weights."""
    catalog = Catalog(tmp_path_factory.mktemp("footwear"), create=True)
    spec = embedder.spec
    photos = PhotoSource(ImageLimits(), FetchSettings())
    indexer = Indexer(catalog, spec, lambda: embedder, photos, lambda _: None)
    report = indexer.add(read_feed(test_data / "footwear" / "images"))
    assert (len(report.added), report.rejected) == (300, [])
    yield Searcher("default", EmbeddedStore(catalog), spec)
    catalog.close()


def best(searcher: Searcher, embedder: Embedder, photo: bytes) -> tuple[str, float]:
    plain = PlainQueryEmbedder(lambda: embedder, ImageLimits())
    parameters = SearchParameters(limit=1)
    (match,) = search_by_photos(searcher, plain, [photo], parameters).matches
    return match.product.product_id, match.score


def test_each_photo_finds_itself_first(
    footwear: Searcher, embedder: Embedder, test_data: Path
) -> None:
    photos = sorted((test_data / "footwear" / "images").iterdir())
    found = [best(footwear, embedder, photo.read_bytes()) for photo in photos]
    assert [product_id for product_id, _ in found] == [photo.stem for photo in photos]
    assert min(score for _, score in found) >= 0.999


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photo_that_is_rotated_by_its_exif_tag_finds_its_original(
    footwear: Searcher, embedder: Embedder, test_data: Path, orientation: int
) -> None:
    turn = {3: 180, 6: 90, 8: 270}[orientation]  # what undoes the turn of the tag
    for photo in sorted((test_data / "footwear" / "images").iterdir())[:20]:
        with Image.open(photo) as upright:
            turned = upright.convert("RGB").rotate(turn, expand=True)
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = io.BytesIO()
        turned.save(file, "JPEG", quality=95, exif=exif)
        assert best(footwear, embedder, file.getvalue())[0] == photo.stem


def test_the_category_of_the_nearest_photo_of_clothing_is_right_for_68_percent(
    test_data: Path, embedder: Embedder
) -> None:
    assert share_right(test_data / "clothing", embedder) >= 0.68  # measured: 0.704


def test_training_on_categories_of_clothing_improves_those_of_photos_not_seen(
    test_data: Path, embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MAX_EPOCHS", 15)
    with (test_data / "clothing" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))[:500]
    pixels = [
        prepare((test_data / "clothing" / row["image"]).read_bytes(), ImageLimits(), embedder.spec)
        for row in rows
    ]
    before = embedder.embed_batch(np.stack(pixels))
    names, labels = np.unique([row["category"] for row in rows], return_inverse=True)
    numbers, paths = np.arange(len(rows)), [row["image"] for row in rows]
    photos = PhotoSet(paths, numbers, paths, paths, [None] * len(rows))
    columns = {"category": names.tolist()}
    examples = Examples(photos, numbers, columns, labels[:, None], numbers, [0], [0])
    trained = train(
        Base(embedder.spec, {}),
        TrainingData(examples, before),
        Options(dimension=128, folds=2, seed=0),
        Checkpoint(tmp_path, "c107dec107de"),
        lambda _: None,
    )
    vectors = {BEFORE: before, AFTER: trained.vectors}
    (measurement,) = measure(examples, trained.folds, vectors, "clothing", {}, 0)
    change = (measurement.evaluation.results[1].difference or {})["mAP"]
    assert change.low > 0.03
    assert measurement.difference.value > 0


def test_rankings_of_imported_vectors_equal_brute_force_and_scikit_learn(
    test_data: Path, tmp_path: Path
) -> None:
    folder = test_data / "footwear"
    files = folder / "feature_vector_store.p", folder / "filename_store.p"
    spec = resolve_spec(EmbeddingSettings())
    catalog = Catalog(tmp_path, create=True)
    imported = import_features(catalog, *files, spec, same_model=False)
    assert (imported.products, imported.vectors) == (300, 300)
    searcher = Searcher("default", EmbeddedStore(catalog), spec)

    ids = np.array([product_id_of(name) for name in read_names(files[1])])
    features = read_features(files[0]).astype(np.float64)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = unit @ unit.T
    neighbours = NearestNeighbors(n_neighbors=300, metric="cosine", algorithm="brute")
    distances, _ = neighbours.fit(features).kneighbors(features)
    everything = SearchParameters(limit=200)
    rest = SearchParameters(limit=200, offset=200)
    for row, product_id in enumerate(ids):
        matches = [
            match
            for page in (everything, rest)
            for match in searcher.by_product(product_id, page, include_itself=True).matches
        ]
        order = np.lexsort((ids, -cosines[row]))
        scores = np.array([match.score for match in matches])
        found = [match.product.product_id for match in matches]
        assert np.abs(scores - cosines[row][order]).max() < 1e-5
        assert np.abs((1 - scores) - distances[row]).max() < 1e-5
        # Vectors are stored in float32: only scores that float32 cannot tell apart may swap.
        for position, (ours, theirs) in enumerate(zip(found, ids[order], strict=True)):
            if ours != theirs:
                swapped = cosines[row][ids == ours][0] - cosines[row][order[position]]
                assert abs(swapped) < 1e-7
    catalog.close()


def test_the_test_data_is_no_part_of_the_product(test_data: Path) -> None:
    root = Path(__file__).parent.parent
    assert not test_data.resolve().is_relative_to(root), os.fspath(test_data)
