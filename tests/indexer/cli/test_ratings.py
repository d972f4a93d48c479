"""Judgements on the command line: backed up and restored."""

from indexer.events import RatedQuery, Rating, RatingStore
from tests.indexer.cli.conftest import Shop


def test_an_export_is_imported_on_another_machine(shop: Shop) -> None:
    ratings = [Rating(RatedQuery("product", "a"), name, "ab", "match", 1_000) for name in "bc"]
    shop.data_dir.mkdir()
    store = RatingStore(shop.data_dir)
    store.add(ratings)
    store.close()
    assert shop.run("ratings", "export", "ratings.csv", "--json").json["ratings"] == 2
    elsewhere = shop.folder / "elsewhere" / "data"
    there = {"IMAGE_SEARCH_STORAGE_DATA_DIR": str(elsewhere)}
    for _ in range(2):
        imported = shop.run("ratings", "import", "ratings.csv", **there)
        assert (imported.code, imported.out) == (0, "read 2 ratings of ratings.csv\n")
    restored = RatingStore(elsewhere)
    assert list(restored.all()) == ratings
    restored.close()


def test_without_ratings_an_export_has_none(shop: Shop) -> None:
    exported = shop.run("ratings", "export", "ratings.csv")
    assert (exported.code, exported.out) == (0, "exported 0 ratings to ratings.csv\n")
    assert not (shop.data_dir / "ratings.db").exists()


def test_a_wrong_file_is_not_imported(shop: Shop) -> None:
    (shop.folder / "feed.csv").write_text("id,title\na,b\n")
    wrong = shop.folder / "wrong.csv"
    header = "query_product_id,query_photo,product_id,grade,rater,rated_at"
    wrong.write_text(f"{header}\na,,b,match,ab,2026-01-31T12:00:00+00:00\na,,c,good,ab,\n")
    assert "line 3: grade" in shop.run("ratings", "import", "wrong.csv").err
    assert not shop.data_dir.exists()  # nor is the line before it
    failed = shop.run("ratings", "import", "feed.csv")
    assert failed.code == 1
    assert "the first line must be query_product_id," in failed.err
    assert shop.run("ratings", "export", "feed.csv").code == 2
