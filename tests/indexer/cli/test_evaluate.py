"""`evaluate`: from labels or judgements to metrics and a verdict."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.arrays import Vectors
from indexer.cli import app, contenders
from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, EmbeddingSpec
from indexer.embedding.base import PixelBatch
from tests.fakes import FAKE_SPEC, FakeEmbedder
from tests.indexer.cli.conftest import Shop

LABELLED = {
    "red/a": (250, 10, 10),
    "red/b": (250, 12, 10),
    "red/c": (250, 10, 12),
    "blue/a": (10, 10, 250),
    "blue/b": (12, 10, 250),
    "blue/odd": (200, 80, 80),  # its nearest are red
    "green/only": (10, 250, 10),
}


# As many as a verdict needs, of alternating labels.
ENOUGH = {
    f"{label}/{n}": colour
    for n in range(16)
    for label, colour in {"red": (250 - n, 0, 0), "blue": (0, 0, 250 - n)}.items()
}


class Blind(FakeEmbedder):
    """A model that sees no colours, only brightness."""

    def embed_batch(self, images: PixelBatch) -> Vectors:
        grey = images.mean(axis=3, keepdims=True).repeat(3, axis=3)
        return super().embed_batch(grey.astype(np.uint8))


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch, shop: Shop) -> None:
    """`weights=blind` is another model than the configured one."""
    blind = Blind(replace(FAKE_SPEC, weights="blind", weights_sha256="b" * 64))

    def load(settings: EmbeddingSettings) -> Embedder:
        return blind if settings.weights == "blind" else shop.embedder

    def spec(settings: EmbeddingSettings) -> EmbeddingSpec:
        return load(settings).spec

    monkeypatch.setattr(app, "load_embedder", load)
    monkeypatch.setattr(app, "resolve_spec", spec)
    monkeypatch.setattr(contenders, "resolve_spec", spec)


def folder(shop: Shop, photos: Mapping[str, object] = LABELLED) -> Path:
    for name, colour in photos.items():
        shop.photo(f"labelled/{name}.png", colour)
    return shop.folder / "labelled"


def judged(shop: Shop, header: str, *rows: tuple[object, ...]) -> Path:
    path = shop.folder / "queries.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header.split(), *rows])
    return path


def value(document: Any, metric: str, result: int = 0) -> float:
    found: float = document["results"][result]["metrics"][metric]["value"]
    return found


def test_a_folder_is_measured_by_the_names_of_its_subfolders(shop: Shop) -> None:
    document = shop.run("evaluate", folder(shop), "--json").json
    assert (document["queries"], document["products"]) == (6, 7)
    assert (document["unanswerable"], document["single"]) == (1, ["green"])
    assert value(document, "precision@1") == round(5 / 6, 4)
    assert document["chance"]["precision@1"] == round(2 / 6, 4)
    worst = document["results"][0]["classes"][0]
    assert (worst["label"], worst["precision_at_1"]) == ("blue", round(2 / 3, 4))
    assert worst["confused_with"] == [["red", 1]]


def test_a_label_is_named_by_its_most_frequent_spelling(shop: Shop) -> None:
    photos = {**LABELLED, "Blue/0": (14, 10, 250)}
    document = shop.run("evaluate", folder(shop, photos), "--json").json
    assert {each["label"] for each in document["results"][0]["classes"]} == {"red", "blue"}


def test_a_collection_is_measured_by_its_stored_vectors(shop: Shop) -> None:
    shop.run("add", folder(shop))
    before = shop.embedder.images_seen
    stored = shop.run("evaluate", "--json").json
    assert shop.embedder.images_seen == before
    embedded = shop.run("evaluate", folder(shop), "--json").json
    assert stored["results"][0]["metrics"] == embedded["results"][0]["metrics"]


def test_copies_and_other_photos_of_the_product_are_excluded_and_counted(shop: Shop) -> None:
    shop.photo("1.png", (250, 10, 10))
    shop.photo("2.png", (240, 10, 10))
    shop.photo("3.png", (10, 10, 250))
    feed = shop.folder / "feed.csv"
    rows = ["id,image_link,additional_image_link,kind", "a,1.png,2.png,x", "b,1.png,3.png,x"]
    feed.write_text("\n".join([*rows, "c,2.png,,y", "d,3.png,,y", "e,3.png,,"]) + "\n")
    shop.run("add", feed)
    document = shop.run("evaluate", "--label", "kind", "--json").json
    assert (document["products"], document["photos"], document["unlabelled"]) == (4, 6, 1)
    # a's 2.png finds b by 1.png, not its copy in c; b's 1.png finds c, not its copy in a.
    assert (document["other_photos"], document["copies"]) == (4, 6)
    assert document["queries"] == 6


def test_query_photos_are_measured_by_the_products_named_for_them(shop: Shop) -> None:
    shop.run("add", folder(shop))
    reddish, bluish = shop.photo("q1.png", (250, 11, 10)), shop.photo("q2.png", (14, 12, 245))
    queries = judged(
        shop,
        "photo product_id grade",
        (reddish, "red/a", 2),
        (reddish, "red/b", ""),
        (bluish, "blue/a", 1),
        (bluish, "red/c", 0),
        (bluish, "sold-out", 1),
    )
    document = shop.run("evaluate", "--queries", queries, "-k", 2, "--json").json
    assert (document["queries"], document["unknown"]) == (2, ["sold-out"])
    assert value(document, "hit_rate@2") == 1
    assert value(document, "recall@2") == 1
    assert document["results"][0]["classes"] == []


def test_a_box_selects_a_part_of_the_query_photo(shop: Shop) -> None:
    shop.run("add", folder(shop))
    half = shop.folder / "half.png"
    both = Image.new("RGB", (64, 32), (250, 10, 10))
    both.paste((10, 10, 250), (32, 0, 64, 32))
    both.save(half)
    queries = judged(shop, "photo product_id box", (half, "blue/a", "0.5,0,1,1"))
    assert value(shop.run("evaluate", "--queries", queries, "--json").json, "precision@1") == 1


@pytest.mark.parametrize(
    ("header", "row", "reason"),
    [
        ("photo", ("q.png",), "missing: product_id"),
        ("photo product_id colour", ("q.png", "a", "red"), "unknown columns: colour"),
        ("photo product_id", ("q.png", ""), "line 2: expected a photo and a product_id"),
        ("photo product_id", ("q.png", "a", "b"), "line 2: expected a photo and a product_id"),
        ("photo product_id grade", ("q.png", "a", "-1"), "line 2: grade: received '-1'"),
        ("photo product_id grade", ("q.png", "a", "nan"), "line 2: grade: received 'nan'"),
        ("photo product_id box", ("q.png", "a", "0,0,2,1"), "line 2: box: received '0,0,2,1'"),
        ("photo product_id box", ("q.png", "a", "left"), "line 2: box: received 'left'"),
    ],
)
def test_a_malformed_file_of_judgements_is_an_error_with_its_line(
    shop: Shop, header: str, row: tuple[str, ...], reason: str
) -> None:
    shop.run("add", folder(shop))
    ran = shop.run("evaluate", "--queries", judged(shop, header, row), "--json")
    assert ran.code == 1
    assert ran.json["error"]["code"] == "bad_labels"
    assert reason in ran.err


def test_rows_of_a_file_of_judgements_that_are_malformed_are_rejected_and_the_rest_is_measured(
    shop: Shop,
) -> None:
    shop.run("add", folder(shop))
    good, other = shop.photo("q.png", (250, 11, 10)), shop.photo("other.png", (14, 12, 245))
    queries = judged(
        shop,
        "photo product_id grade",
        (good, "red/a", 2),
        (good, "red/a", 1),
        (other, "blue/a", "much"),
        (other, "", ""),
    )
    ran = shop.run("evaluate", "--queries", queries, "--json")
    assert (ran.code, ran.json["queries"]) == (3, 1)
    assert [each["line"] for each in ran.json["rejections"]] == [3, 4, 5]
    assert "product 'red/a' has two grades" in ran.json["rejections"][0]["reason"]
    assert ran.err.count("rejected: ") == 3


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("photo;product_id;grade\nq.png;red/a;2\n;;\nq.png;b;x\n", "utf-8"),
        ("photo\tproduct_id\nq.png\tred/a\n\nq.png\t\n", "utf-16"),
        ("sep=|\nphoto|product_id\nq.png|red/a\nq.png|\n", "utf-8-sig"),
    ],
)
def test_a_file_of_judgements_is_read_in_the_dialects_of_feeds(
    shop: Shop, text: str, encoding: str
) -> None:
    shop.run("add", folder(shop))
    shop.photo("q.png", (250, 11, 10))
    queries = shop.folder / "queries.csv"
    queries.write_text(text, encoding=encoding)
    ran = shop.run("evaluate", "--queries", queries, "--json")
    assert (ran.code, ran.json["queries"]) == (3, 1)
    assert [each["line"] for each in ran.json["rejections"]] == [4]


def test_a_file_of_judgements_in_another_encoding_is_an_error(shop: Shop) -> None:
    shop.run("add", folder(shop))
    queries = shop.folder / "queries.csv"
    queries.write_bytes("photo,product_id\ngrün.png,red/a\n".encode("latin-1"))
    ran = shop.run("evaluate", "--queries", queries)
    assert (ran.code, "cannot be read as CSV in UTF-8 or UTF-16" in ran.err) == (1, True)


def test_several_models_and_distances_are_compared_with_the_first(shop: Shop) -> None:
    arguments = ("--model", "current", "--model", "weights=blind")
    distances = ("--distance", "cosine", "--distance", "l1", "--distance", "hamming")
    document = shop.run("evaluate", folder(shop), *arguments, *distances, "--json").json
    rows = [(row["model"], row["distance"]) for row in document["results"]]
    assert rows == [
        (model, distance)
        for model in ("current", "weights=blind")
        for distance in ("cosine", "l1", "hamming")
    ]
    first, *others = document["results"]
    assert first["difference"] is None
    assert first["settings"]["weights"] == "fake"
    assert others[2]["settings"]["weights"] == "blind"
    lost = value(document, "mAP", 3) - value(document, "mAP")
    assert others[2]["difference"]["mAP"]["value"] == pytest.approx(lost, abs=2e-4)


def test_a_worse_model_is_a_regression_and_fails(shop: Shop) -> None:
    labelled = folder(shop, ENOUGH)
    worse = shop.run("evaluate", labelled, "--compare", "current", "weights=blind", "--json")
    assert (worse.code, worse.json["comparison"]["outcome"]) == (1, "regression")
    assert worse.json["comparison"]["difference"]["high"] < -0.001
    tolerated = ("--compare", "current", "weights=blind", "--tolerance", 1)
    assert shop.run("evaluate", labelled, *tolerated).code == 0
    better = shop.run("evaluate", labelled, "--compare", "weights=blind", "current", "--json")
    assert (better.code, better.json["comparison"]["outcome"]) == (0, "improvement")


def test_too_few_queries_give_no_verdict_and_do_not_pass_the_gate(shop: Shop) -> None:
    few = dict(list(ENOUGH.items())[:29])
    for pair in (("current", "weights=blind"), ("weights=blind", "current")):
        ran = shop.run("evaluate", folder(shop, few), "--compare", *pair, "--json")
        assert (ran.code, ran.json["comparison"]["outcome"]) == (1, "undecided")
        assert ran.json["comparison"]["queries"] == 29
    out = shop.run("evaluate", shop.folder / "labelled", "--compare", *pair).out
    assert "undecided: queries measured: 29, needed: 30; nDCG@10 " in out


def test_collections_and_snapshots_are_compared_on_their_common_photos(shop: Shop) -> None:
    config = shop.folder / "config.yaml"
    config.write_text("collections: {other: {}}\n")
    labelled = folder(shop, ENOUGH)
    shop.run("add", labelled)
    snapshot = shop.run("snapshot", "create", "--json").json["name"]
    shop.photo("labelled/blue/new.png", (10, 10, 200))
    shop.run("add", labelled)
    shop.run("--collection", "other", "add", labelled)
    for other, missing in (("other", 0), (snapshot, 1)):
        ran = shop.run("evaluate", "--compare", "default", other, "--json")
        assert (ran.code, ran.json["comparison"]["outcome"]) == (0, "no difference")
        assert (ran.json["photos"], ran.json["not_common"]) == (33 - missing, missing)
    assert f" {snapshot} " in shop.run("evaluate", "--compare", "default", snapshot).out
    assert shop.run("snapshot", "verify", snapshot).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--label", "colour"), 1, "no product has the attribute 'colour'; choose one"),
        (("--label", "Category"), 1, "'Category'; did you mean category?"),
        (("--queries", "gone.csv"), 1, "gone.csv: does not exist"),
        (
            ("--label", "category", "--queries", "q.csv"),
            2,
            "one of --label, --queries and --ratings",
        ),
        (("--model", "current", "--compare", "current", "other"), 2, "pass no --model"),
        (("--compare", "current", "current"), 2, "each must be different"),
        (("--distance", "l1", "--distance", "l1"), 2, "--distance: received l1, l1; each must be"),
        (("--compare", "default", "current"), 2, "default and current, which are the same"),
        (("--compare", "weights=blind", "weights= blind"), 2, "which are the same"),
        (("labelled", "--compare", "current", "weights=fake"), 2, "which are the same"),
        (
            ("--compare", "current", "nope"),
            2,
            "no collection, snapshot or setting named 'nope'; collections: default; snapshots:",
        ),
        (("--compare", "current", "--json"), 2, "--compare needs two names"),
        (("--label", ""), 2, "--label: received ''"),
        (("empty",), 1, "no photos in empty"),
        (("same",), 1, "all products have the same category, 'shoes'; nothing can be measured"),
        (("--model", "wieghts=fashion"), 2, "did you mean weights"),
        (("--model", "input_size=7"), 2, "embedding.input_size: received"),
        (("--tolerance", "0.1"), 2, "--tolerance needs --compare"),
        (("labelled", "--model", "other"), 2, "received 'other'"),
    ],
)
def test_what_cannot_be_measured_is_an_error(
    shop: Shop, arguments: tuple[str, ...], code: int, text: str
) -> None:
    shop.run("add", folder(shop))
    (shop.folder / "empty").mkdir()
    for number in range(2):
        shop.photo(f"same/shoes/{number}.png", (number, 0, 0))
    ran = shop.run("evaluate", *arguments)
    assert (ran.code, text in ran.err) == (code, True), ran.err


def test_a_sample_of_the_queries_is_drawn_with_a_seed(shop: Shop) -> None:
    labelled = folder(shop)
    first, again = (shop.run("evaluate", labelled, "--sample", 3, "--json").json for _ in range(2))
    assert first == again
    assert (first["queries"] + first["unanswerable"], first["candidates"]) == (3, 7)


def test_photos_that_cannot_be_read_are_left_out_and_named(shop: Shop) -> None:
    labelled = folder(shop)
    (labelled / "red" / "broken.jpg").write_bytes(b"no photo")
    ran = shop.run("evaluate", labelled)
    assert ran.code == 3
    assert "photos that cannot be read: 1" in ran.out
    assert "broken.jpg" in ran.out
    assert "6 query photos, 7 products" in ran.out


def test_query_photos_and_products_that_are_missing_are_named_and_give_exit_code_3(
    shop: Shop,
) -> None:
    shop.run("add", folder(shop))
    reddish = shop.photo("q.png", (250, 11, 10))
    good = (reddish, "red/a")
    assert shop.run("evaluate", "--queries", judged(shop, "photo product_id", good)).code == 0
    for missing, name in ((("gone.png", "red/a"), "gone.png"), ((reddish, "sold"), "sold")):
        queries = judged(shop, "photo product_id", good, missing)
        ran = shop.run("evaluate", "--queries", queries)
        assert (ran.code, name in ran.out) == (3, True)
        assert "random sample" not in ran.out


def test_when_nothing_is_left_to_measure_all_that_was_left_out_is_named(shop: Shop) -> None:
    shop.run("add", folder(shop))
    copy = shop.folder / "labelled" / "red" / "a.png"
    queries = judged(shop, "photo product_id grade", (copy, "red/a"), (copy, "sold"), ("", "b"))
    ran = shop.run("evaluate", "--queries", queries, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "bad_labels")
    for part in (
        "nothing to measure",
        "no other product is right: 1",
        "exact copies in other products were excluded from their results: 1",
        "products in the judgements that do not exist: 1 (sold)",
        "rejected rows: 1 (line 4: expected a photo",
    ):
        assert part in ran.json["error"]["detail"]


def test_rejected_rows_are_counted_and_summarised(shop: Shop) -> None:
    photos = {f"a{n}": (250 - n, 0, 0) for n in range(4)}
    photos |= {f"b{n}": (0, 0, 250 - n) for n in range(4)}
    feed = shop.feed(photos)
    header, *rows = feed.read_text().splitlines()
    lines = [f"{header},kind", *(f"{row},{row[1]}" for row in rows), *[",x.png,,5.00 EUR,a"] * 7]
    feed.write_text("\n".join(lines) + "\n")
    arguments = ("evaluate", feed, "--label", "kind", "--json")
    ran = shop.run(*arguments)
    assert ran.code == 3
    assert ran.err.count("rejected: ") == 1
    assert "7 rows" in ran.err
    assert [each["line"] for each in ran.json["rejections"]] == list(range(10, 17))
    assert shop.run(*arguments, "--compare", "current", "weights=blind").code == 1


def test_a_feed_without_a_usable_row_says_so_with_the_first_reasons(shop: Shop) -> None:
    feed = shop.folder / "feed.csv"
    feed.write_text("id,image_link,category\n,x.png,a\n,y.png,b\nc,,a\n")
    ran = shop.run("evaluate", feed)
    assert ran.code == 1
    assert "feed.csv was rejected (3): line 2: " in ran.err
    assert "; line 4: " in ran.err
    assert "; line 3: " not in ran.err  # the same reason as line 2


def test_one_label_with_readable_photos_is_an_error(shop: Shop) -> None:
    labelled = folder(shop, {"red/a": "red", "red/b": "crimson"})
    (labelled / "blue").mkdir()
    (labelled / "blue" / "broken.jpg").write_bytes(b"no photo")
    ran = shop.run("evaluate", labelled)
    assert ran.code == 1
    assert "all products with a usable photo have the same label, 'red'" in ran.err
    assert "broken.jpg" in ran.err


def test_photos_whose_files_have_changed_are_left_out_of_comparisons(shop: Shop) -> None:
    labelled = folder(shop)
    shop.run("add", labelled)
    arguments = ("evaluate", "--compare", "current", "weights=fake", "--json")
    assert shop.run(*arguments).json["changed"] == 0
    shop.photo("labelled/red/a.png", (10, 250, 10))
    ran = shop.run(*arguments)
    assert (ran.json["photos"], ran.json["changed"]) == (6, 1)
    assert ran.json["comparison"]["difference"]["value"] == 0
    assert "the file has changed since it was added: 1" in shop.run(*arguments[:-1]).out
    assert shop.run("evaluate", "--json").json["photos"] == 7  # reads no files
    for name in LABELLED:
        shop.photo(f"labelled/{name}.png", (1, 2, 3))
    assert "all photos have changed since they were added" in shop.run(*arguments).err


@pytest.mark.parametrize("fault", ["report", "queries"])
def test_a_file_that_cannot_be_used_is_noticed_before_photos_are_embedded(
    shop: Shop, fault: str
) -> None:
    labelled = folder(shop)
    if fault == "report":
        refused = shop.run("evaluate", labelled, "--report", "missing/report.html")
        assert (refused.code, "--report: cannot write" in refused.err) == (2, True)
    else:
        malformed = judged(shop, "photo", ("q.png",))
        assert shop.run("evaluate", labelled, "--queries", malformed).code == 1
    assert shop.embedder.images_seen == 0


def test_the_table_shows_metrics_chance_and_the_worst_class(shop: Shop) -> None:
    out = shop.run("evaluate", folder(shop)).out
    assert "0.833" in out
    assert "chance" in out
    assert "worst classes of current, cosine" in out
    assert "min_score" in out
