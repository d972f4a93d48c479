"""Measures precomputed neighbours: building, updating, and searches by product with and without.

    python -m benchmarks.neighbours [--products 100000] [--data FOLDER]

The catalogue is that of `benchmarks.service_load`. Before it come three stages on real photos and
vectors (IMAGE_SEARCH_TEST_DATA): 100 photos from scratch, 100 stored vectors searched, and 100
look-ups. The peer of the searches is brute force in plain numpy, measured in the same run: one
product of matrices in float32. Figures reported for an earlier system, cited and not measured here:
8.3 s for the photos, 9 ms for the vectors among 300 in one batch, 4 ms for the look-ups.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.load import catalogue
from benchmarks.load.generator import closed_loop, percentile
from benchmarks.load.mixtures import DATA, mixtures, product
from benchmarks.load.requests import get
from benchmarks.load.server import SERVICE, Server, free_port, running, settings
from indexer.arrays import Vectors, normalised
from indexer.config import EmbeddingSettings, load_settings
from indexer.embedding import EmbeddingSpec, load_embedder, resolve_spec
from indexer.embedding.photos import PlainQueryEmbedder
from indexer.images import ImageLimits
from indexer.interchange.features import read_features
from indexer.maintenance import neighbours
from indexer.search import Searcher, SearchParameters, search_by_photos
from indexer.store import NewImage, PutProduct
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.neighbours import CatalogImages, exact_lists, table_path
from indexer.store.embedded.store import EmbeddedStore

K = 50
CHANGES = (1, 100, 400)
CLIENTS = (1, 8)
SECONDS = 8.0
REPEATS = 300
STAGE = 100  # photos, vectors and look-ups of the three stages
PARAMETERS = SearchParameters()


def show(what: str, *values: str) -> None:
    """Prints a row."""
    print(f"{what:<52}" + "".join(f"{value:>20}" for value in values), flush=True)


def median_ms(call: Callable[[int], object]) -> str:
    """Returns the median duration of calls with the numbers from 0."""
    spent = []
    for number in range(REPEATS):
        start = time.perf_counter()
        call(number)
        spent.append(1000 * (time.perf_counter() - start))
    return f"{median(spent):.2f} ms"


class Shop:
    """The catalogue of the load tests.

    Args:
        data: folder of the benchmark's files.
        products: number of products.
    """

    def __init__(self, data: Path, products: int) -> None:
        self.products = products
        folder = data / f"neighbours-{products}"
        self.port = free_port()
        self.environ = settings(storage_data_dir=folder.resolve(), service_port=self.port)
        catalogue.fill(products, self.environ, data)
        self.log = data / "service.log"
        self.catalog = Catalog(folder / "default")
        spec = resolve_spec(load_settings(environ=self.environ).embedding)
        self.searcher = Searcher("default", EmbeddedStore(self.catalog), spec)
        self.searcher.store.refresh()

    @contextmanager
    def service(self) -> Iterator[Server]:
        """Runs the service."""
        with running(SERVICE, self.environ, self.port, "/readyz", self.log) as server:
            yield server

    def similar(self, number: int) -> None:
        """Searches by a product."""
        product_id = catalogue.product_id(number * 7919 % self.products)
        self.searcher.by_product(product_id, PARAMETERS, include_itself=False)

    def change(self, vectors: Vectors, seed: int) -> None:
        """Gives products new photos."""
        numbers = np.random.default_rng(seed).choice(self.products, len(vectors), replace=False)
        with self.catalog.writer() as writer:
            writer.put(
                PutProduct(
                    catalogue.product_id(int(number)),
                    {},
                    (NewImage("new.jpg", "new.jpg", f"new:{seed}:{number}", vector),),
                )
                for number, vector in zip(numbers, vectors, strict=True)
            )

    def bring_up_to_date(self) -> str:
        """Builds or updates the table; returns the duration, and the CPU time of all cores."""
        start, cpu = time.perf_counter(), time.process_time()
        neighbours.bring_up_to_date(self.catalog, K, lambda _: None)
        spent, cpu = time.perf_counter() - start, time.process_time() - cpu
        self.searcher.store.refresh()
        return f"{spent:.1f} s, CPU {cpu:.1f}"


def http(server: Server, products: int) -> list[str]:
    """Measures searches by product over HTTP: median with one client, rate with eight."""
    runs = []
    for clients in CLIENTS:
        rng = np.random.default_rng(2)
        ids = (catalogue.product_id(int(rng.integers(products))) for _ in itertools.count())
        requests = (get("similar", f"/v1/products/{name}/similar") for name in ids)
        runs.append(closed_loop(server.address, requests, clients=clients, seconds=SECONDS))
    if any(reply.status != 200 for run in runs for reply in run.replies):
        sys.exit("a search failed")
    alone, together = runs
    return [f"{percentile(alone.replies, 50):.2f} ms", f"{together.rate():.0f} /s"]


def measure(shop: Shop, real: Vectors) -> None:
    """Measures one catalogue."""
    neighbours.drop(shop.catalog)
    show(f"{shop.products:,} products, k = {K}", "index", "table")
    with shop.service() as server:
        library, over_http = median_ms(shop.similar), http(server, shop.products)
        built = shop.bring_up_to_date()
        time.sleep(2)  # until the service has noticed
        show("search by product in the library, median", library, median_ms(shop.similar))
        rows = zip(over_http, http(server, shop.products), strict=True)
        for what, row in zip(("1 client, median", "8 clients"), rows, strict=True):
            show(f"similar over HTTP, {what}", *row)
    show("build", "", built)
    size = table_path(shop.catalog.folder).stat().st_size
    show("table on disk", "", f"{size / 2**20:.0f} MiB")
    for seed, count in enumerate(CHANGES):
        shop.change(mixtures(real, count, np.random.default_rng(seed)), int(time.time()) + seed)
        shop.similar(0)
        show(f"search with {count:,} changed products", "", median_ms(shop.similar))
        show(f"update after {count:,} changed products", "", shop.bring_up_to_date())


def stages(vectors: Vectors, photos: Sequence[bytes], folder: Path) -> None:
    """Measures photos from scratch, stored vectors and look-ups."""
    start = time.perf_counter()
    embedder = load_embedder(EmbeddingSettings())
    show("load the model", "", f"{time.perf_counter() - start:.1f} s")
    query = PlainQueryEmbedder(lambda: embedder, ImageLimits())
    own = np.concatenate([query.embed([photo], None).vectors for photo in photos])
    shop = searcher_of(folder / "photos", own, embedder.spec)
    start = time.perf_counter()
    for photo in photos[:STAGE]:
        search_by_photos(shop, query, [photo], PARAMETERS)
    spent = time.perf_counter() - start
    show(f"{STAGE} photos from scratch, among {len(own)}", "", f"{spent:.2f} s")
    shop = searcher_of(folder / "vectors", vectors, embedder.spec)
    names = list(map(str, range(STAGE)))

    def search_all(_: int) -> None:
        with shop.store.search_reader(attributes=False) as reader:
            everything = reader.select()
            for vector in vectors[:STAGE]:
                everything.nearest(vector[None], PARAMETERS.limit)

    of_products = CatalogImages.of((str(number), number) for number in range(len(vectors)))
    in_order = vectors[of_products.ids]

    def search_in_a_batch(_: int) -> None:
        count = PARAMETERS.limit + 1  # each list begins with the product itself
        exact_lists(of_products, in_order, np.arange(STAGE), count, count, lambda _: None)

    def brute_force(_: int) -> None:
        products = vectors[:STAGE] @ vectors.T
        best = np.argpartition(-products, PARAMETERS.limit, axis=1)[:, : PARAMETERS.limit]
        np.take_along_axis(best, np.argsort(-np.take_along_axis(products, best, 1), 1), 1)

    def look_up_all(_: int) -> None:
        with shop.store.search_reader(attributes=False) as reader:
            reader.neighbours(names, PARAMETERS.limit)

    show(f"{STAGE} stored vectors searched, among {len(vectors)}", "", median_ms(search_all))
    show("the same in one batch, as `neighbours` does it", "", median_ms(search_in_a_batch))
    show("the same in one batch, plain numpy", "", median_ms(brute_force))
    show(f"{STAGE} look-ups, among {len(vectors)}", "", median_ms(look_up_all))


def searcher_of(folder: Path, vectors: Vectors, spec: EmbeddingSpec) -> Searcher:
    """Returns a searcher of products named by number, one per vector, with a table."""
    catalog = Catalog(folder, create=True)
    with catalog.writer() as writer:
        writer.bind(fingerprint=spec.fingerprint, weights=spec.weights, dimension=vectors.shape[1])
        writer.put(product(number, vector) for number, vector in enumerate(vectors))
    neighbours.bring_up_to_date(catalog, K, lambda _: None)
    searcher = Searcher("default", EmbeddedStore(catalog), spec)
    searcher.store.refresh()
    return searcher


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--products", type=int, nargs="+", default=[100_000])
    parser.add_argument(
        "--data", type=Path, default=Path(tempfile.gettempdir()) / "image-search-load"
    )
    arguments = parser.parse_args()
    features, photos = DATA / "feature_vector_store.p", sorted((DATA / "images").glob("*"))
    if not features.is_file():
        sys.exit(f"no vectors at {features}; set IMAGE_SEARCH_TEST_DATA")
    real = normalised(read_features(features))
    with tempfile.TemporaryDirectory() as folder:
        stages(real, [path.read_bytes() for path in photos], Path(folder))
    for products in arguments.products:
        measure(Shop(arguments.data, products), real)


if __name__ == "__main__":
    main()
