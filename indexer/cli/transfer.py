"""The commands `import-features` and `export`."""

from contextlib import closing
from pathlib import Path

import click

from indexer.cli.app import App, Output, reporting
from indexer.cli.options import waiting
from indexer.embedding.kinds import IMPORTED
from indexer.interchange import transfer


@click.command("import-features")
@click.argument("features", type=click.Path(path_type=Path))
@click.argument("names", type=click.Path(path_type=Path))
@click.option(
    "--same-model",
    is_flag=True,
    help="The vectors were made by the configured model; enables search by photo.",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder with the photos of the rows, by file name. Results show them, and add embeds none"
    " of them again.",
)
@waiting
@reporting
def import_features(
    app: App, features: Path, names: Path, same_model: bool, photos: Path | None
) -> Output:
    """Add products with existing vectors.

    Row i of FEATURES (.npy or pickle) belongs to line or entry i of NAMES (text, .npy or
    pickle). The product id is the file name without folder and extension. If FEATURES is from an
    export, the photos.jsonl next to it identifies the photos of the vectors, so that add does not
    embed them again.
    """
    with closing(app.store(create=True)) as store:
        done = transfer.import_features(
            store,
            features,
            names,
            app.spec,
            same_model=same_model,
            photos=photos,
            root=app.photos.root,
        )
        app.maintain(store)
    text = f"imported {done.vectors} vectors of {done.products} products"
    if done.fingerprint == IMPORTED:
        text += (
            "; their model is unknown, so they can be searched by product only (see --same-model)"
        )
    document = {
        "products": done.products,
        "images": done.vectors,
        "fingerprint": done.fingerprint,
    }
    return Output(document, text)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@reporting
def export(app: App, folder: Path) -> Output:
    """Write features.npy, names.txt and products.csv to FOLDER.

    import-features and add read these files back. photos.jsonl contains the content hash of the
    photo of each vector, embedding.json the fingerprint.
    """
    with closing(app.store()) as store:
        products, images = transfer.export(store, folder, app.photos.root)
    return Output(
        {"products": products, "images": images, "folder": str(folder)},
        f"exported {products} products with {images} vectors to {folder}",
    )
