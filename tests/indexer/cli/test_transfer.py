"""Vectors in and out on the command line."""

import shutil

import numpy as np
import pytest

from indexer.store.embedded.catalog import Catalog
from tests.indexer.cli.conftest import Shop


def test_an_export_takes_the_place_of_nothing_but_an_export(stocked: Shop) -> None:
    folder = stocked.folder / "shop"
    folder.mkdir()
    (folder / "products.csv").write_text("id,image_link\n")
    ran = stocked.run("export", folder)
    assert ran.code == 2
    assert "products.csv, not written by an export" in ran.err
    assert [path.name for path in folder.iterdir()] == ["products.csv"]
    for _ in range(2):
        assert stocked.run("export", stocked.folder / "out").code == 0


@pytest.mark.parametrize("option", [["--same-model"], []])
def test_what_was_exported_and_imported_is_not_embedded_again(
    stocked: Shop, option: list[str]
) -> None:
    more = stocked.photo("more/second.png", "orange"), stocked.photo("more/first.png", "purple")
    feed = stocked.folder / "more.csv"
    feed.write_text(f"id,image_link\nmany,{more[0]}\n")
    assert stocked.run("add", feed).code == 0
    feed.write_text(f"id,image_link,additional_image_link\nmany,{more[1]},{more[0]}\n")
    assert stocked.run("add", feed).code == 0
    before = {p: [i.location for i in v.images] for p, v in stocked.products().items()}
    assert stocked.run("export", "out").code == 0
    elsewhere = {"IMAGE_SEARCH_STORAGE_DATA_DIR": str(stocked.folder / "elsewhere")}
    files = ("out/features.npy", "out/names.txt")
    assert stocked.run("import-features", *files, *option, **elsewhere).code == 0
    seen = stocked.embedder.images_seen
    added = stocked.run("add", "out/products.csv", "--json", **elsewhere)
    assert added.code == 0, added.err
    assert (added.json["embedded"], added.json["added"]) == (0, 0)
    assert stocked.embedder.images_seen == seen
    catalog = Catalog(stocked.folder / "elsewhere" / "default")
    with catalog.reader() as reader:
        products = reader.products(reader.product_ids())
    catalog.close()
    assert {p: [i.location for i in v.images] for p, v in products.items()} == before


def test_vectors_of_another_model_get_photos_and_attributes_without_embedding(
    stocked: Shop,
) -> None:
    elsewhere = {"IMAGE_SEARCH_STORAGE_DATA_DIR": str(stocked.folder / "elsewhere")}
    photos = [stocked.photo(f"shoes/{name}.png", name) for name in ("red", "blue")]
    np.save(stocked.folder / "theirs.npy", np.eye(3, 7))
    (stocked.folder / "theirs.txt").write_text("data/red.png\ndata/blue.png\ndata/gone.png\n")
    files = ("theirs.npy", "theirs.txt", "--photos", photos[0].parent)
    assert stocked.run("import-features", *files, **elsewhere).code == 0
    feed = stocked.folder / "shoes.csv"
    feed.write_text(f"id,image_link,category\nred,{photos[0]},boots\nblue,{photos[1]},boots\n")
    added = stocked.run("add", feed, "--json", **elsewhere)
    assert (added.code, added.json["embedded"], added.json["updated"]) == (0, 0, 2), added.err
    only = ("--product", "gone", "--filter", "category:boots", "--json")
    found = stocked.run("search", *only, **elsewhere).json["results"]
    assert [each["product_id"] for each in found] == ["blue", "red"]
    assert {each["image"] for each in found} == {str(each) for each in photos}


def test_a_folder_without_any_photo_of_the_rows_is_refused(stocked: Shop) -> None:
    np.save(stocked.folder / "theirs.npy", np.eye(1, 7))
    (stocked.folder / "theirs.txt").write_text("data/elsewhere.png\n")
    refused = stocked.run("import-features", "theirs.npy", "theirs.txt", "--photos", ".")
    assert refused.code == 1
    assert "has no file for any of the 1 names, such as 'elsewhere.png'" in refused.err


def test_photos_that_do_not_belong_to_the_rows_are_not_taken_for_them(stocked: Shop) -> None:
    assert stocked.run("export", "out").code == 0
    lines = (stocked.folder / "out" / "photos.jsonl").read_text().splitlines(keepends=True)
    elsewhere = {"IMAGE_SEARCH_STORAGE_DATA_DIR": str(stocked.folder / "elsewhere")}
    files = ("out/features.npy", "out/names.txt", "--same-model")
    for odd in (lines[::-1], lines[1:], ["{}\n"], ["[1]\n"], ["\n"]):
        (stocked.folder / "out" / "photos.jsonl").write_text("".join(odd))
        assert stocked.run("import-features", *files, **elsewhere).code == 0
        added = stocked.run("add", "out/products.csv", "--json", **elsewhere)
        assert added.json["embedded"] > 0
        shutil.rmtree(stocked.folder / "elsewhere")


def test_an_export_can_be_imported_and_added_elsewhere(stocked: Shop) -> None:
    assert stocked.run("export", "out").code == 0
    elsewhere = {"IMAGE_SEARCH_STORAGE_DATA_DIR": str(stocked.folder / "other")}
    ran = stocked.run("import-features", "out/features.npy", "out/names.txt", **elsewhere)
    assert (ran.code, "imported 4 vectors of 4 products" in ran.out) == (0, True)
    added = stocked.run("add", "out/products.csv", "--json", **elsewhere).json
    assert (added["updated"], added["rejected"]) == (4, 0)
    photo = stocked.photo("query.png", "firebrick")
    here = stocked.run("search", photo, "--json").json
    there = stocked.run("search", photo, "--json", **elsewhere).json
    assert [r["product_id"] for r in there["results"]] == [r["product_id"] for r in here["results"]]
