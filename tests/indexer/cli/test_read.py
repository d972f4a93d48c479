"""search and status, and what all commands share: help, --json, exit codes, settings."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from PIL import Image

from docs.generate import commands
from indexer.cli import main
from indexer.cli import plot as plots
from indexer.cli.errors import DONE, FAILED, INTERRUPTED, LOCKED, SOME_REJECTED, USAGE
from indexer.store.embedded.catalog import Catalog
from tests.conftest import png
from tests.indexer.cli.conftest import Shop
from tests.processes import multipart
from tests.service.conftest import serving

COLOURS = {"red": "red", "crimson": "crimson", "navy": "navy", "a/b [/c]": "gold"}


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """A shop with products of `COLOURS`."""
    assert shop.run("add", shop.feed(COLOURS)).code == 0
    return shop


def without_chance(document: dict[str, Any]) -> dict[str, Any]:
    assert document.pop("query_id")
    assert set(document.pop("took_ms")) == {"decode", "queue", "embed", "search"}
    return document


def test_a_search_prints_the_document_of_the_http_service(stocked: Shop) -> None:
    photo = stocked.photo("query.png", "firebrick")
    ran = stocked.run("search", photo, "-k", 2, "--offset", 1, "--json")
    body, content_type = multipart(photo.read_bytes(), limit=2, offset=1)
    with serving(stocked.data_dir) as client:
        answer = client.post("/v1/search", data=body, content_type=content_type).json
    assert answer is not None
    assert without_chance(ran.json) == without_chance(answer)


def test_a_search_by_product_prints_the_document_of_the_http_service(stocked: Shop) -> None:
    ran = stocked.run("search", "--product", "a/b [/c]", "--json")
    with serving(stocked.data_dir) as client:
        answer = client.post("/v1/search", json={"product_id": "a/b [/c]"}).json
    assert answer is not None
    assert without_chance(ran.json) == without_chance(answer)


def test_people_see_scores_ids_titles_and_prices(stocked: Shop) -> None:
    ran = stocked.run("search", "--product", "a/b [/c]", "-k", 1)
    assert ran.code == 0
    for text in ("1.0000", "a/b [/c]", "a/b [/c]!", "5", "EUR"):
        assert text in ran.out


def test_a_min_score_leaves_out_what_is_less_alike(stocked: Shop) -> None:
    found = stocked.run("search", "--product", "red", "--min-score", 0.9, "--json").json
    assert [result["product_id"] for result in found["results"]] == ["red", "crimson"]
    assert found["total"] == 2


COLUMNS, TILE, GAP, TEXT = 5, 200, 16, 56


@pytest.mark.parametrize(("limit", "rows"), [(0, 1), (4, 2), (5, 2), (6, 3)])
def test_a_plot_is_a_png_with_a_tile_for_the_query_and_each_result(
    shop: Shop, limit: int, rows: int
) -> None:
    shop.run("add", shop.feed({f"p{number}": (number * 30, 90, 9) for number in range(6)}))
    options = ["--offset", 6] if limit == 0 else ["-k", limit]
    plot = shop.folder / "plot.png"
    ran = shop.run("search", shop.photo("query.png", "magenta"), "--plot", plot, *options)
    assert ran.code == 0
    with Image.open(plot) as image:
        image.load()
    assert image.format == "PNG"
    assert image.size == (GAP + COLUMNS * (TILE + GAP), GAP + rows * (TILE + TEXT + GAP))
    middles = [
        (GAP + column * (TILE + GAP) + TILE // 2, GAP + row * (TILE + TEXT + GAP) + TILE // 2)
        for row in range(rows)
        for column in range(COLUMNS)
    ]
    filled = [image.getpixel(middle) != (255, 255, 255) for middle in middles]
    assert image.getpixel(middles[0]) == (255, 0, 255)
    assert filled == [True, *[False] * 4, *[n < limit for n in range(5 * (rows - 1))]]


def test_a_plot_draws_the_letters_of_other_languages() -> None:
    font = plots.font(14)
    nothing = bytes(font.getmask("\uffff"))
    letters = "ßüöäéèñçåøæœłżźćąęěščřžőűğışđÄÖÜŁЖжЯяΩπ€…–„“’"
    assert [each for each in letters if bytes(font.getmask(each)) == nothing] == []


def test_a_plot_shows_the_part_that_was_searched_with(stocked: Shop) -> None:
    plot = stocked.folder / "plot.png"
    photo = stocked.photo("query.png", "magenta")
    assert stocked.run("search", photo, "--box", "0,0,0.5,1", "--plot", plot).code == 0
    with Image.open(plot) as image:
        row = [image.getpixel((x, GAP + TILE // 2)) for x in range(GAP, GAP + TILE)]
    assert row.index((0, 113, 227), TILE // 3) < TILE // 2 + 2  # after the left side of the box
    assert row.count((0, 113, 227)) == 6


def test_a_plot_of_a_product_whose_photo_is_gone_says_so(stocked: Shop) -> None:
    for photo in (stocked.folder / "photos").iterdir():
        photo.unlink()
    plot = stocked.folder / "plot.png"
    assert stocked.run("search", "--product", "red", "--plot", plot).code == 0
    Image.open(io.BytesIO(plot.read_bytes())).verify()


def test_a_plot_that_cannot_be_written_fails(stocked: Shop) -> None:
    ran = stocked.run("search", "--product", "red", "--plot", stocked.folder / "no" / "plot.png")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "cannot write" in ran.err


def test_status_says_what_is_there_and_what_made_it(stocked: Shop) -> None:
    status = stocked.run("status", "--json").json
    assert status == {
        "collection": "default",
        "folder": str(stocked.data_dir / "default"),
        "products": 4,
        "images": 4,
        "seq": 8,
        "fingerprint": stocked.embedder.spec.fingerprint,
        "weights": "fake",
        "trained": True,
        "photo_search": True,
        "neighbours": None,
        "detail": "",
    }
    text = stocked.run("status").out
    assert all(name in text for name in status)


def test_a_plot_takes_the_place_of_nothing_but_a_plot(stocked: Shop) -> None:
    photo = stocked.photo("query.png", "red")
    before = photo.read_bytes()
    for file, words in ((photo, "is not a plot"), (stocked.folder / "plot.jpg", "end in .png")):
        ran = stocked.run("search", photo, "--plot", file)
        assert (ran.code, photo.read_bytes()) == (2, before)
        assert words in ran.err
    for _ in range(2):
        assert stocked.run("search", photo, "--plot", stocked.folder / "plot.png").code == 0


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


def test_status_makes_no_catalogue(shop: Shop) -> None:
    status = shop.run("status", "--json")
    assert status.json["detail"].startswith("no catalogue here yet")
    assert (status.code, status.json["products"], status.json["seq"]) == (0, 0, 0)
    assert not shop.data_dir.exists()


def test_search_without_a_catalogue_fails_and_makes_none(shop: Shop) -> None:
    ran = shop.run("search", "--product", "red", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "catalog_missing")
    assert not shop.data_dir.exists()


@pytest.mark.parametrize("name", dict(commands()))
def test_every_command_and_option_has_help(shop: Shop, name: str) -> None:
    ran = shop.run(*name.split(), "--help")
    assert ran.code == 0
    assert "--json" in ran.out
    command = dict(commands())[name]
    assert command.help
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name


def test_the_help_names_every_command_and_exit_code(shop: Shop) -> None:
    out = shop.run("--help").out
    assert all(command in out for command in main.commands)
    assert all(f"{code} " in out for code in (DONE, FAILED, USAGE, SOME_REJECTED, LOCKED))


# Of the commands that need some.
ARGUMENTS: dict[str, list[str]] = {
    "add": ["feed.csv"],
    "sync": ["feed.csv"],
    "merge": ["data"],
    "remove": ["navy"],
    "search": ["--product", "red"],
    "evaluate": ["--label", "currency"],
    "export": ["out"],
    "import-features": ["out/features.npy", "out/names.txt"],
    "ratings export": ["ratings.jsonl"],
    "ratings import": ["ratings.jsonl"],
    "snapshot prune": ["--keep", "1"],
    "keys create": ["--scope", "search"],
}


def test_json_is_one_document_on_stdout_and_nothing_else(stocked: Shop) -> None:
    copy = stocked.run("snapshot", "create", "--json").json["name"]
    arguments = {**ARGUMENTS, "snapshot verify": [copy], "snapshot restore": [copy]}
    arguments["keys revoke"] = [
        stocked.run("keys", "create", "--scope", "events", "--json").json["id"]
    ]
    # Those of `calibrate` and `whiten` are looked at where there are photos enough for them.
    others = (name for name, _ in commands() if name not in (*arguments, "calibrate", "whiten"))
    for name in [*arguments, *others]:
        ran = stocked.run(*name.split(), *arguments.get(name, []), "--json")
        assert ran.code == 0, (name, ran.err)
        assert isinstance(json.loads(ran.out), dict)


def test_json_of_a_failure_is_one_document_too(shop: Shop) -> None:
    for arguments in (["search", "x.png"], ["export", "out"], ["remove", "x"], ["add", "no.csv"]):
        ran = shop.run(*arguments, "--json")
        assert ran.code == FAILED
        error = json.loads(ran.out)["error"]
        assert set(error) == {"code", "detail"}
        assert ran.err == f"error: {error['detail']}\n"


USAGES: dict[str, list[str]] = {
    "no query": ["search"],
    "two queries": ["search", "photo.png", "--product", "red"],
    "too many results": ["search", "--product", "red", "-k", "201"],
    "a score above 1": ["search", "--product", "red", "--min-score", "1.5"],
    "no such option": ["search", "--nothing"],
    "no such command": ["nothing"],
    "nothing to add": ["add"],
    "nothing to remove": ["remove"],
    "no such list": ["remove", "--from", "nothing.txt"],
    "no such collection": ["--collection", "nothing", "status"],
    "no such settings": ["--config", "nothing.yaml", "status"],
}


@pytest.mark.parametrize("case", USAGES)
def test_wrong_usage_is_exit_code_2_and_says_why(stocked: Shop, case: str) -> None:
    ran = stocked.run(*USAGES[case])
    assert (ran.code, ran.out) == (USAGE, "")
    assert ran.err.strip()


SETTINGS: dict[str, tuple[str, list[str]]] = {
    "embedding:\n  input_size: 31\n": ("embedding.input_size", ["31", "32", "512", "auto"]),
    "embedding:\n  resize: cubic\n": ("embedding.resize", ["cubic", "bilinear"]),
    "embedding:\n  input_siz: 3\n": ("embedding: unknown setting 'input_siz'", ["input_size"]),
    "service:\n  port: true\n": ("service.port", ["true", "65535"]),
    "servise:\n  port: 1\n": ("servise", ["service"]),
}


@pytest.mark.parametrize("text", SETTINGS)
def test_a_wrong_setting_is_one_line_with_key_received_and_allowed(shop: Shop, text: str) -> None:
    key, words = SETTINGS[text]
    path = shop.folder / "settings.yaml"
    path.write_text(text)
    ran = shop.run("--config", path, "status", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (USAGE, "bad_config")
    assert ran.err.count("\n") == 1
    assert key in ran.err
    assert all(word in ran.err for word in words), ran.err


def test_a_wrong_setting_in_the_environment_is_told_alike(shop: Shop) -> None:
    ran = shop.run("status", IMAGE_SEARCH_EMBEDDING_INPUT_SIZE="huge")
    assert ran.code == USAGE
    assert all(word in ran.err for word in ("embedding.input_size", "huge", "32", "auto"))


def test_collections_of_the_settings_are_apart(shop: Shop) -> None:
    config = shop.folder / "settings.yaml"
    config.write_text("storage: {data_dir: data}\ncollections: {bags: {}}\n")
    bag, shoe = shop.photo("bag.png", "red"), shop.photo("shoe.png", "red")
    assert shop.run("--config", config, "--collection", "bags", "add", bag).code == 0
    assert shop.run("--config", config, "add", shoe).code == 0
    found = shop.run("--config", config, "--collection", "bags", "search", shoe, "--json").json
    assert found["collection"] == "bags"
    assert [result["product_id"] for result in found["results"]] == ["bag"]


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


def test_the_interrupt_code_is_that_of_shells() -> None:
    assert INTERRUPTED == 128 + 2


def test_a_search_photo_that_is_none_fails_with_its_code(stocked: Shop) -> None:
    path = Path(stocked.folder, "query.png")
    path.write_bytes(png("red")[:40])
    ran = stocked.run("search", path, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "image_truncated")


def test_options_mean_what_they_mean_over_http(stocked: Shop) -> None:
    options = ["--filter", "price<=99", "--filter", "!currency:usd", "--boost", "title:navy!^0.5"]
    more = ["--facets", "currency", "--dedup", "true", "--diversify", "currency"]
    ran = stocked.run("search", "--product", "red", *options, *more, "--json")
    with serving(stocked.data_dir) as client:
        answer = client.post(
            "/v1/search",
            json={
                "product_id": "red",
                "filter": ["price<=99", "!currency:usd"],
                "boost": "title:navy!^0.5",
                "facets": "currency",
                "dedup": True,
                "diversify": "currency",
            },
        ).json
    assert answer is not None
    assert without_chance(ran.json) == without_chance(answer)
    assert "currency: EUR (3)" in stocked.run("search", "--more-like", "red", *more).out


def test_a_bad_filter_is_wrong_usage(stocked: Shop) -> None:
    ran = stocked.run("search", "--product", "red", "--filter", "colour:red", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (USAGE, "bad_filter")
