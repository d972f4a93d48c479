"""The command `whiten`."""

from pathlib import Path

import click

from indexer.cli.app import App, Output, log, reporting
from indexer.embedding.kinds import kind_of, require
from indexer.embedding.whitening import SUFFIX, learn, write_whitening
from indexer.errors import BadParameterError, FingerprintMismatchError
from indexer.store import Reader


@click.command()
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--dimensions",
    type=click.IntRange(2),
    help="Length of the new vectors; shorter ones take less memory.  [default: as they are]",
)
@reporting
def whiten(app: App, output: Path, dimensions: int | None) -> Output:
    """Learn a whitening of the catalogue's vectors and write it to OUTPUT (.npz).

    A whitening gives what all products have in common less weight. It helps weights that were not
    trained on photos like those of the catalogue. To use it, set embedding.whitening to OUTPUT and
    run `rebuild --re-embed`, which maps the stored vectors without reading photos.
    """
    if output.suffix != SUFFIX:
        raise BadParameterError(f"OUTPUT: received {str(output)!r}; the name must end in {SUFFIX}")
    with app.catalog().reader() as reader, log.status("learning the whitening"):
        _require_not_whitened(reader)
        require(reader, app.unwhitened)
        vectors = (chunk for _, chunk in reader.all_vectors())
        whitening, share = learn(vectors, app.unwhitened.fingerprint, dimensions)
        _, photos = reader.counts()
    write_whitening(output, whitening)
    before, kept = whitening.head.kernel.shape
    document = {
        "file": str(output),
        "photos": photos,
        "dimensions": kept,
        "share_of_variance": round(share, 4),
    }
    return Output(
        document,
        f"wrote {output}, learned from {photos} photos: {before} to {kept} values, {share:.1%} of"
        " the variance; set embedding.whitening to it, run `rebuild --re-embed`, then restart the"
        " services",
    )


def _require_not_whitened(reader: Reader) -> None:
    """Raises FingerprintMismatchError if the vectors are whitened."""
    found = kind_of(reader)
    if found and found.fields and found.fields.get("whitening_sha256"):
        raise FingerprintMismatchError(
            "the vectors of the catalogue are whitened and cannot be whitened again",
            "unset embedding.whitening and run `rebuild --re-embed` first",
        )
