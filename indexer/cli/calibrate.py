"""The command `calibrate`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from indexer.arrays import batched
from indexer.cli.app import App, Output, log, reporting
from indexer.cli.errors import FAILED
from indexer.cli.progress import progress_bar
from indexer.embedding.base import PixelBatch
from indexer.embedding.calibration import calibrate as make_int8
from indexer.embedding.int8 import SUFFIX, write_int8
from indexer.errors import BadParameterError, ImageError, WeightsError
from indexer.images import decode
from indexer.store.places import location_of

MIN_PHOTOS = 100  # half of them for measuring: five times the number of neighbours


@click.command()
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--photos",
    default=300,
    show_default=True,
    type=click.IntRange(MIN_PHOTOS),
    help="Maximum number of catalogue photos: half to calibrate, half to measure.",
)
@click.option(
    "--min-overlap",
    default=0.95,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Minimum share of the ten nearest photos that float32 finds too.",
)
@click.option("--seed", default=0, show_default=True, help="Seed for choosing photos.")
@reporting
def calibrate(app: App, output: Path, photos: int, min_overlap: float, seed: int) -> Output:
    """Convert the configured model to int8, which is much faster, and write it to OUTPUT (.int8).

    The model is calibrated on photos of this catalogue. If its top-10 overlap with float32 is below
    --min-overlap, nothing is written and the exit code is 1. To use it, set embedding.weights to
    OUTPUT and run `rebuild --re-embed`. Requires OpenVINO: pip install -r
    requirements-openvino.txt
    """
    if output.suffix != SUFFIX:
        raise BadParameterError(f"OUTPUT: received {str(output)!r}; the name must end in {SUFFIX}")
    chosen = _photos(app, photos, seed)
    with log.status(f"calibrating on {len(chosen)} photos"):
        manifest, record = make_int8(app.embedding, chosen)
    good = manifest.overlap >= min_overlap
    if good:
        write_int8(output, manifest, record)
    document: dict[str, Any] = manifest.model_dump() | {"file": str(output) if good else None}
    text = (
        f"top-10 overlap with float32 {manifest.overlap:.3f}, maximum error of a score"
        f" {manifest.max_error:.4f}, mean error {manifest.mean_error:.4f}: "
    )
    if good:
        return Output(
            document,
            f"{text}wrote {output}; set embedding.weights to it,"
            " run `rebuild --re-embed`, then restart the services",
        )
    return Output(document, f"{text}below {min_overlap}, nothing was written", FAILED)


def _photos(app: App, limit: int, seed: int) -> PixelBatch:
    """Reads photos of the catalogue in random order; skips those that cannot be read."""
    chosen: list[NDArray[np.uint8]] = []
    with progress_bar("reading photos", limit) as advance:
        locations = sorted(set(_locations(app)))
        for number in np.random.RandomState(seed).permutation(len(locations)):
            if len(chosen) == limit:
                break
            try:
                data = app.photos.read(locations[number])
                image = decode(data, app.settings.images.limits())
            except ImageError as error:
                log.print(f"skipped: {locations[number]}: {error}")
                continue
            chosen.append(app.spec.square(image))
            advance(1)
    if len(chosen) < MIN_PHOTOS:
        raise WeightsError(
            f"calibration needs at least {MIN_PHOTOS} different photos; readable photos in the"
            f" catalogue: {len(chosen)}; add products first"
        )
    return np.stack(chosen)


def _locations(app: App) -> Iterator[str]:
    catalog = app.catalog()
    with catalog.reader() as reader:
        for batch in batched(reader.product_ids(), 500):
            for product in reader.products(batch).values():
                yield from (
                    location_of(catalog.folder, image) for image in product.images if image.location
                )
