"""The command that makes an int8 model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from indexer.arrays import batched
from indexer.cli.app import App, Output, log, reporting
from indexer.cli.errors import FAILED
from indexer.embedding.base import Photos
from indexer.embedding.calibration import calibrate as make_int8
from indexer.embedding.int8 import SUFFIX, write_int8
from indexer.embedding.resize import resize
from indexer.errors import BadParameterError, ImageError, WeightsError
from indexer.images import decode
from indexer.store.embedded.catalog.places import location_of

FEWEST = 100  # half of them are measured on: five times as many as are nearest


@click.command()
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--photos",
    default=300,
    show_default=True,
    type=click.IntRange(FEWEST),
    help="Photos of the catalogue to use at most: half to calibrate, half to measure.",
)
@click.option(
    "--min-overlap",
    default=0.95,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the ten nearest photos that must be those of float32.",
)
@click.option("--seed", default=0, show_default=True, help="Another seed takes other photos.")
@reporting
def calibrate(app: App, output: Path, photos: int, min_overlap: float, seed: int) -> Output:
    """Make an int8 model of the configured network, which computes much faster, in OUTPUT (.int8).

    It fits the photos of this catalogue. If it finds too few of those that float32 finds, nothing
    is written and the exit code is 1. To use it, set embedding.weights to OUTPUT and run `rebuild
    --re-embed`. Needs OpenVINO: pip install -r requirements-openvino.txt
    """
    if output.suffix != SUFFIX:
        raise BadParameterError(f"OUTPUT: received {str(output)!r}; its name must end in {SUFFIX}")
    taken = _photos(app, photos, seed)
    with log.status(f"calibrating on {len(taken)} photos"):
        manifest, record = make_int8(app.embedding, taken)
    good = manifest.overlap >= min_overlap
    if good:
        write_int8(output, manifest, record)
    document: dict[str, Any] = manifest.model_dump() | {"file": str(output) if good else None}
    text = (
        f"overlap of the ten nearest with float32 {manifest.overlap:.3f}, error of scores"
        f" {manifest.max_error:.4f} at most, {manifest.mean_error:.4f} on average: "
    )
    if good:
        return Output(
            document,
            f"{text}wrote {output}; set embedding.weights to it,"
            " run `rebuild --re-embed`, then restart the services",
        )
    return Output(document, f"{text}below {min_overlap}, nothing is written", FAILED)


def _photos(app: App, most: int, seed: int) -> Photos:
    """Photos of the catalogue in random order; those that cannot be read are left out."""
    taken: list[NDArray[np.uint8]] = []
    with Progress(console=log) as progress:
        task = progress.add_task("reading photos", total=most)
        locations = sorted(set(_locations(app)))
        for number in np.random.RandomState(seed).permutation(len(locations)):
            if len(taken) == most:
                break
            try:
                data = app.photos.read(locations[number])
                image = decode(data, app.settings.images.limits())
            except ImageError as error:
                log.print(f"left out: {locations[number]}: {error}")
                continue
            taken.append(resize(image, app.spec.input_size, app.spec.resize))
            progress.advance(task)
    if len(taken) < FEWEST:
        raise WeightsError(
            f"calibration needs at least {FEWEST} different photos, the catalogue has"
            f" {len(taken)} that can be read: add products first"
        )
    return np.stack(taken)


def _locations(app: App) -> Iterator[str]:
    catalog = app.catalog()
    with catalog.reader() as reader:
        for batch in batched(reader.product_ids(), 500):
            for product in reader.products(batch).values():
                yield from (
                    location_of(catalog.folder, image) for image in product.images if image.location
                )
