"""The command `neighbours`, and what other commands do to the table."""

import pytest

from indexer.maintenance import neighbours
from indexer.store.embedded.catalog import Catalog
from tests.indexer.cli.conftest import Shop, grey

Colours = dict[str, object]


def colours(count: int, start: int = 0) -> Colours:
    return {f"p{number}": grey(number) for number in range(start, start + count)}


@pytest.fixture
def table(shop: Shop) -> Shop:
    """A shop of 40 products with a table of 5 neighbours each."""
    assert shop.run("add", shop.feed(colours(40))).code == 0
    assert shop.run("neighbours", "-k", 5).code == 0
    return shop


def state(shop: Shop) -> dict[str, object] | None:
    found: dict[str, object] | None = shop.run("status", "--json").json["neighbours"]
    return found


def test_it_builds_updates_and_drops_the_table(shop: Shop) -> None:
    shop.run("add", shop.feed(colours(40)))
    assert state(shop) is None
    assert shop.run("neighbours", "-k", 5, "--json").json["action"] == "built"
    assert state(shop) == {"k": 5, "seq": 80, "changed_images": 0, "in_use": True}
    assert shop.run("neighbours", "--json").json["action"] == "unchanged"
    shop.run("add", shop.feed({"new": grey(50)}))
    assert state(shop) == {"k": 5, "seq": 80, "changed_images": 1, "in_use": True}
    assert shop.run("neighbours").out.startswith("updated: the 5 most similar products of 41")
    assert shop.run("neighbours", "--drop").out == "dropped\n"
    assert shop.run("neighbours", "--drop").out == "there is no table\n"
    assert state(shop) is None


def test_a_table_with_damage_behind_its_header_is_not_shown_as_in_use(table: Shop) -> None:
    path = table.data_dir / "default" / "neighbours" / "neighbours.table"
    data = bytearray(path.read_bytes())
    data[4096] ^= 1  # the first byte after the header
    path.write_bytes(data)
    assert table.run("verify").code == 1
    status = table.run("status", "--json").json
    assert status["neighbours"] == {"k": 5, "seq": 80, "changed_images": 0, "in_use": False}
    assert "wrong checksum" in status["detail"]


def test_the_progress_of_an_update_counts_every_list(table: Shop) -> None:
    table.run("remove", "p7", "p8")
    done: list[int] = []
    catalog = Catalog(table.data_dir / "default")
    assert neighbours.bring_up_to_date(catalog, None, done.append).action == "updated"
    assert sum(done) == 38
    catalog.close()


def test_a_search_by_product_is_the_same_with_the_table(table: Shop) -> None:
    with_table = table.run("search", "--product", "p7", "-k", 3, "--json").json
    table.run("neighbours", "--drop")
    without = table.run("search", "--product", "p7", "-k", 3, "--json").json
    for document in (with_table, without):
        del document["query_id"], document["took_ms"]
    assert with_table == without


@pytest.mark.parametrize("arguments", [("-k", 0), ("-k", 1001), ("-k", 5, "--drop")])
def test_wrong_options_are_refused(shop: Shop, arguments: tuple[object, ...]) -> None:
    shop.run("init")
    assert shop.run("neighbours", *arguments).code == 2


def test_a_catalogue_without_products_has_nothing_to_compare(shop: Shop) -> None:
    assert "no catalogue" in shop.run("neighbours").err
    shop.run("init")
    assert "add products first" in shop.run("neighbours").err


def test_commands_that_change_many_products_update_the_table(
    table: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_MIN_CHANGES", 3)
    monkeypatch.setattr(neighbours, "_MAX_CHANGED", 0.2)
    table.run("remove", "p1", "p2")
    assert state(table) == {"k": 5, "seq": 80, "changed_images": 2, "in_use": True}
    monkeypatch.setattr(neighbours, "_MIN_CHANGES", 2)
    table.run("compact")
    assert state(table) == {"k": 5, "seq": 84, "changed_images": 0, "in_use": True}
    table.run("remove", "p3", "p4")
    assert state(table) == {"k": 5, "seq": 88, "changed_images": 0, "in_use": True}


def test_a_command_that_changes_most_of_the_catalogue_says_what_to_run(
    table: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(neighbours, "_MIN_CHANGES", 3)
    with monkeypatch.context() as large:
        large.setattr(neighbours, "_FEW_IMAGES", 0)
        table.run("add", table.feed(colours(40, start=100)))
    assert "out of date: run `neighbours`" in caplog.text
    assert state(table) == {"k": 5, "seq": 80, "changed_images": 40, "in_use": True}
    table.run("remove", "p1")
    assert state(table) == {"k": 5, "seq": 162, "changed_images": 0, "in_use": True}


@pytest.mark.parametrize("damaged", [False, True])
def test_after_a_restore_results_are_those_of_the_snapshot(table: Shop, damaged: bool) -> None:
    name = table.run("snapshot", "create", "--json").json["name"]
    expected = similar(table)
    table.run("add", table.feed(colours(20, start=60) | {"p8": grey(7)}))
    table.run("neighbours")
    assert similar(table) != expected
    if damaged:
        catalog = table.data_dir / "default" / "catalog.db"
        data = bytearray(catalog.read_bytes())
        data[5000:5100] = bytes(100)
        catalog.write_bytes(data)
    assert table.run("snapshot", "restore", name).code == 0
    assert similar(table) == expected
    assert table.run("verify").code == 0
    table.run("neighbours")
    assert similar(table) == expected


def similar(shop: Shop) -> list[tuple[str, float]]:
    found = shop.run("search", "--product", "p7", "-k", 4, "--json").json["results"]
    return [(row["product_id"], row["score"]) for row in found]


def test_status_names_a_damaged_table(table: Shop) -> None:
    path = table.data_dir / "default" / "neighbours" / "neighbours.table"
    path.write_bytes(b"x" + path.read_bytes()[1:])
    document = table.run("status", "--json").json
    assert (document["neighbours"], document["products"]) == (None, 40)
    assert "neighbours.table: damaged" in document["detail"]


def test_a_command_that_is_refused_shows_no_progress_bar(shop: Shop) -> None:
    shop.run("init")
    ran = shop.run("neighbours", "--json")
    assert ran.code == 1
    assert ran.err == f"error: {ran.json['error']['detail']}\n"
    shop.run("add", shop.feed(colours(3)))
    assert "comparing products" in shop.run("neighbours").err
    unchanged = (shop.run("neighbours"), shop.run("rebuild", "--re-embed"))
    assert [each.err for each in unchanged] == ["", ""]
