"""From feeds to catalogues: only what changed is embedded, and nothing that is good is lost."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.arrays import Vectors
from indexer.config import FetchSettings
from indexer.embedding.base import PixelBatch
from indexer.errors import (
    FeedError,
    MassRemovalError,
    WeightsError,
)
from indexer.feeds import FeedRow, ImageRef, Rejection
from indexer.fetch import PhotoSource
from indexer.images import ImageLimits
from indexer.ingest.removal import Surplus
from indexer.ingest.report import Report
from indexer.ingest.sync import BATCH, Indexer
from tests.conftest import Store
from tests.fakes import FAKE_SPEC, FakeEmbedder

COLOURS = [f"#{n * 5:02x}8040" for n in range(40)]


def sync(store: Store, rows: Iterable[FeedRow | Rejection], *, force: bool = False) -> Report:
    feed = list(rows)
    return store.indexer.sync(lambda: feed, max_removal=1 if force else 0.2)


def plan(store: Store, rows: Iterable[FeedRow | Rejection]) -> Report:
    feed = list(rows)
    return store.indexer.plan(lambda: feed)


def test_new_products_are_added_and_embedded_once(store: Store) -> None:
    rows = [store.row(f"p{n}", colour) for n, colour in enumerate(COLOURS)]
    report = store.add(*rows)
    assert report.added == [f"p{n}" for n in range(len(COLOURS))]
    assert store.embedder.images_seen == report.embedded == len(COLOURS)
    again = store.add(*rows)
    assert (again.unchanged, again.embedded) == (len(COLOURS), 0)
    assert store.embedder.images_seen == len(COLOURS)


def test_a_run_without_new_photos_never_loads_the_model(store: Store) -> None:
    row = store.row("p", "red", price=1.0)
    store.add(row)
    calls = store.embedder.calls
    cheaper = FeedRow("p", {"price": 0.5}, row.images, None, "feed")
    assert store.add(cheaper).updated == ["p"]
    assert store.embedder.calls == calls


def test_a_photo_that_is_used_twice_is_embedded_once_and_both_products_are_kept(
    store: Store,
) -> None:
    shared = store.photo("shared.png", "red")
    report = store.add(
        FeedRow("p", {}, (shared,), 1, "feed"), FeedRow("q", {}, (shared,), 2, "feed")
    )
    assert (report.added, report.embedded) == (["p", "q"], 1)
    store.add(FeedRow("r", {}, (shared,), 3, "feed"))
    assert store.product_ids() == ["p", "q", "r"]
    assert store.embedder.images_seen == 1


def test_a_changed_photo_is_embedded_again(store: Store) -> None:
    store.add(store.row("p", "red"))
    assert store.add(store.row("p", "blue")).updated == ["p"]
    assert store.embedder.images_seen == 2


def test_a_photo_that_moves_between_products_within_one_run_is_not_lost(store: Store) -> None:
    store.add(store.row("a", "red"))
    others = [store.row(f"m{n}", colour) for n, colour in enumerate(COLOURS)]
    assert len(others) > BATCH  # so that `a` has lost the photo before `z` gets it
    moved = FeedRow("z", {}, (store.photo("z.png", "red"),), None, "feed")
    report = store.add(store.row("a", "blue"), *others, moved)
    assert report.rejected == []
    assert "z" in store.product_ids()


def test_a_bad_photo_is_reported_and_the_rest_goes_in(store: Store, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    missing = ImageRef("gone.jpg", str(tmp_path / "gone.jpg"))
    report = store.add(
        FeedRow("bad", {}, (ImageRef("broken.jpg", str(broken)),), 2, "feed.csv"),
        FeedRow("half", {}, (missing, store.photo("good.png", "red")), 3, "feed.csv"),
        Rejection("feed.csv", 4, None, "no id"),
        store.row("fine", "blue"),
    )
    assert report.added == ["half", "fine"]
    assert [(r.line, r.product_id) for r in report.rejected] == [(4, None), (2, "bad"), (3, "half")]
    assert "broken.jpg: not an image" in report.rejected[1].reason
    assert "gone.jpg: cannot be read" in report.rejected[2].reason


def test_a_product_whose_photo_turned_bad_stays_as_it_is(store: Store) -> None:
    row = store.row("p", "red", price=1.0)
    store.add(row)
    Path(row.images[0].location).write_bytes(b"no picture")
    report = sync(store, [FeedRow("p", {"price": 2.0}, row.images, 1, "feed")])
    assert [r.product_id for r in report.rejected] == ["p"]
    with store.catalog.reader() as reader:
        assert reader.products(["p"])["p"].attributes == {"price": 1.0}


def test_a_photo_on_the_web_that_cannot_be_fetched_is_rejected_with_the_reason(
    store: Store,
) -> None:
    url = "http://127.0.0.1/a.jpg"
    report = store.add(FeedRow("p", {}, (ImageRef(url, url),), 1, "feed"))
    assert f"{url}: 127.0.0.1 is not on the public internet" in report.rejected[0].reason


def test_sync_makes_the_catalogue_equal_to_the_feed(store: Store) -> None:
    store.add(*(store.row(f"p{n}", colour) for n, colour in enumerate(COLOURS[:10])))
    feed = [store.row(f"p{n}", colour) for n, colour in enumerate(COLOURS[:9])]
    feed[0] = store.row("p0", "white")
    feed.append(store.row("new", "black"))
    report = sync(store, feed)
    assert (report.added, report.updated, report.removed) == (["new"], ["p0"], ["p9"])
    assert report.unchanged == 8
    assert sorted(store.product_ids()) == sorted(row.product_id for row in feed)


def test_a_plan_writes_nothing_and_says_what_sync_then_does(store: Store) -> None:
    store.add(*(store.row(f"p{n}", colour) for n, colour in enumerate(COLOURS[:10])))
    feed: list[FeedRow | Rejection] = [
        store.row(f"p{n}", colour) for n, colour in enumerate(COLOURS[:9])
    ]
    feed += [store.row("new", "black"), Rejection("feed", 12, None, "no id")]
    with store.catalog.reader() as reader:
        before = reader.seq
    calls = store.embedder.calls
    planned = plan(store, feed)
    with store.catalog.reader() as reader:
        assert reader.seq == before
    assert store.embedder.calls == calls
    assert planned == sync(store, feed)


def test_a_feed_that_lacks_too_much_is_refused_unless_allowed(store: Store) -> None:
    rows = [store.row(f"p{n}", colour) for n, colour in enumerate(COLOURS[:10])]
    store.add(*rows)
    with pytest.raises(MassRemovalError, match="remove 3 of 10 products"):
        sync(store, rows[:7])
    assert len(store.product_ids()) == 10
    assert sync(store, rows[:8]).removed == ["p8", "p9"]  # 20 % is allowed
    assert len(sync(store, [], force=True).removed) == 8
    assert store.product_ids() == []


def test_a_rejected_row_keeps_its_product_from_removal(store: Store) -> None:
    store.add(store.row("p", "red"))
    report = sync(store, [Rejection("feed", 1, "p", "bad price")])
    assert (report.removed, store.product_ids()) == ([], ["p"])


def test_a_rejected_row_of_unknown_id_keeps_all_products_from_removal(store: Store) -> None:
    store.add(store.row("p", "red"), store.row("q", "blue"))
    feed: list[FeedRow | Rejection] = [store.row("new", "green")]
    feed.append(Rejection("feed", 3, None, "no id"))
    planned = plan(store, feed)
    report = sync(store, feed)
    assert planned == report
    assert (report.added, report.removed, report.not_removed) == (["new"], [], ["p", "q"])
    assert store.product_ids() == ["new", "p", "q"]
    forced = store.indexer.sync(lambda: feed, max_removal=1, remove_despite_rejects=True)
    assert (forced.removed, forced.not_removed) == (["p", "q"], [])


def test_a_product_that_a_bad_row_may_be_about_is_kept(store: Store) -> None:
    store.add(*(store.row(name, colour) for name, colour in zip("abcdefgh", COLOURS, strict=False)))
    bad = Rejection("feed", 1, "a", "too many cells", ("b", "c"))
    report = sync(store, [bad, *(store.row(name, "red") for name in "defg")])
    assert (report.removed, store.product_ids()) == (["h"], list("abcdefg"))


def test_a_product_whose_row_may_be_inside_of_another_is_kept_with_a_warning(store: Store) -> None:
    store.add(store.row("a", "red"), store.row("b", "blue"))
    whole = replace(store.row("a", "red"), possible_ids=("b", "word"), line=2)
    report = sync(store, [whole], force=True)
    assert (report.removed, store.product_ids()) == ([], ["a", "b"])
    (warning,) = report.warnings
    assert (warning.line, warning.product_id) == (2, "a")
    assert "the row of product 'b', so that product is kept" in warning.reason


def test_nothing_is_removed_if_the_feed_grows_between_its_two_readings(store: Store) -> None:
    rows = [store.row(f"p{n}", colour) for n, colour in enumerate(COLOURS[:10])]
    store.add(*rows)
    changed = FeedRow("p0", {"price": 5.0}, rows[0].images, None, "feed")
    readings = iter([rows[:9], [changed, *rows[1:]]])
    with pytest.raises(FeedError, match=r"changed while it was read.*'p9'"):
        store.indexer.sync(lambda: next(readings))
    assert len(store.product_ids()) == 10
    with store.catalog.reader() as reader:
        assert reader.products(["p0"])["p0"].attributes == {"price": 5.0}


def test_a_plan_shows_what_the_run_would_be_refused_for(store: Store) -> None:
    store.add(*(store.row(f"p{n}", colour) for n, colour in enumerate(COLOURS[:10])))
    planned = plan(store, [store.row("p0", "red"), store.row("new", "blue")])
    assert (planned.added, len(planned.removed)) == (["new"], 9)
    assert "remove 9 of 10 products" in str(planned.refused)
    assert len(store.product_ids()) == 10


def test_for_another_model_new_photos_are_rejected_and_the_rest_goes_in(store: Store) -> None:
    row = store.row("p", "red", price=1.0)
    store.add(row, store.row("sold out", "navy"))
    store.embedder = FakeEmbedder(replace(FAKE_SPEC, input_size=32))
    changed = FeedRow("p", {"price": 2.0}, row.images, None, "feed")
    wider = FeedRow("p", {"price": 3.0}, (*row.images, store.photo("q.png", "blue")), None, "feed")
    assert plan(store, [changed]).updated == ["p"]
    report = sync(store, [changed, wider, store.row("q", "blue")], force=True)
    assert (report.updated, report.removed) == (["p", "p"], ["sold out"])
    assert [rejection.product_id for rejection in report.rejected] == ["p", "q"]
    assert all("rebuild --re-embed" in rejection.reason for rejection in report.rejected)
    with store.catalog.reader() as reader:
        (product,) = reader.products(reader.product_ids()).values()
        assert reader.fingerprint == FAKE_SPEC.fingerprint
    assert (product.attributes, len(product.images)) == ({"price": 3.0}, 1)
    assert store.embedder.calls == 0


def test_an_interrupted_run_keeps_its_batches_and_goes_on_from_there(store: Store) -> None:
    rows = [store.row(f"p{n:02}", colour) for n, colour in enumerate(COLOURS)]

    def interrupted() -> Iterable[FeedRow]:
        yield from rows
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.indexer.add(interrupted())
    done = len(store.product_ids())
    report = store.add(*rows)
    assert report.unchanged == done
    assert len(store.product_ids()) == len(rows)
    # Photos of a batch that was not committed may be embedded again, those of others are not.
    assert store.embedder.images_seen <= len(rows) + BATCH


def test_a_photo_of_many_products_is_embedded_once_however_many_batches_are_on_their_way(
    store: Store,
) -> None:
    shared = store.photo("shared.png", "red")
    rows = [FeedRow(f"p{n:03}", {}, (shared,), n, "feed") for n in range(4 * BATCH)]
    report = store.add(*rows)
    assert (len(report.added), report.embedded, store.embedder.images_seen) == (4 * BATCH, 1, 1)


def test_what_is_told_to_be_done_is_in_the_catalogue(store: Store) -> None:
    rows = [store.row(f"p{n:02}", colour) for n, colour in enumerate(COLOURS)]
    told = 0

    def progress(count: int) -> None:
        nonlocal told
        told += count
        assert len(store.product_ids()) >= told

    photos = PhotoSource(ImageLimits(), FetchSettings())
    Indexer(store.catalog, FAKE_SPEC, lambda: store.embedder, photos, progress).add(rows)
    assert told == len(rows)


def test_a_model_that_fails_ends_the_run_with_the_batches_before_it_kept(store: Store) -> None:
    class Failing(FakeEmbedder):
        def embed_batch(self, images: PixelBatch) -> Vectors:
            if self.images_seen >= BATCH:
                raise WeightsError("damaged")
            return super().embed_batch(images)

    store.embedder = Failing()
    with pytest.raises(WeightsError, match="damaged"):
        store.add(*(store.row(f"p{n:02}", colour) for n, colour in enumerate(COLOURS)))
    assert store.product_ids() == [f"p{n:02}" for n in range(BATCH)]
    with store.catalog.writer():  # no thread still writes, and the lock is free
        pass


@pytest.mark.parametrize(("removed", "present"), [(29, 100), (57, 100), (58, 200), (1, 3)])
def test_the_limit_that_a_refused_removal_names_allows_it(removed: int, present: int) -> None:
    found = Surplus([str(number) for number in range(removed)], present, 0, [])
    with pytest.raises(MassRemovalError) as refused:
        found.require_few(0.2)
    (percent,) = re.findall(r"--max-removal (\d+)%", str(refused.value))
    found.require_few(float(percent) / 100)
