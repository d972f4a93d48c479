"""What protects the catalogue: dry runs, questions, the limit on removals, waiting."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer.files import writer_lock, writer_of
from tests.indexer.cli.conftest import COLOURS, Shop, grey

Files = Callable[[Path], dict[str, bytes]]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands believe that they are on a terminal."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)


def test_a_dry_run_of_add_tells_what_add_does_and_changes_nothing(
    stocked: Shop, files: Files
) -> None:
    feed = stocked.feed({"red": "red", "navy": "blue", "new": "white"}, "more.csv")
    before, seen = files(stocked.data_dir), stocked.embedder.images_seen
    planned = stocked.run("add", feed, "--dry-run", "--json")
    assert (files(stocked.data_dir), stocked.embedder.images_seen) == (before, seen)
    done = stocked.run("add", feed, "--json")
    assert planned.json["samples"]["added"] == ["new"]
    counts = ("added", "updated", "removed", "unchanged", "rejected", "embedded")
    assert [planned.json[name] for name in counts] == [done.json[name] for name in counts]
    assert planned.code == done.code == 0


def test_a_dry_run_of_remove_tells_what_it_removes(stocked: Shop) -> None:
    planned = stocked.run("remove", "red", "puce", "--dry-run", "--json")
    assert (planned.code, planned.json) == (
        3,
        {"dry_run": True, "removed": ["red"], "unknown": ["puce"]},
    )
    assert "dry run: 1 removed" in stocked.run("remove", "red", "--dry-run").out
    assert list(stocked.products()) == sorted(COLOURS)
    assert stocked.run("remove", "red", "puce", "--json").json == planned.json | {"dry_run": False}


def test_a_dry_run_of_restore_checks_the_snapshot_and_changes_nothing(
    stocked: Shop, files: Files
) -> None:
    name = stocked.run("snapshot", "create", "--json").json["name"]
    stocked.run("remove", "red")
    before = files(stocked.data_dir)
    planned = stocked.run("snapshot", "restore", name, "--dry-run", "--json").json
    assert planned == {
        "dry_run": True,
        "restored": name,
        "products": 4,
        "images": 4,
        "catalogue": "undamaged",
    }
    assert files(stocked.data_dir) == before
    copy = stocked.data_dir / ".snapshots" / "default" / name / "catalog.db"
    copy.write_bytes(copy.read_bytes()[:-1])
    ran = stocked.run("snapshot", "restore", name, "--dry-run")
    assert (ran.code, "is damaged" in ran.err) == (1, True)


def snapshots(shop: Shop, number: int) -> list[str]:
    """Creates snapshots; their names."""
    folder = shop.data_dir / ".snapshots" / "default"
    shop.run("snapshot", "create")
    (first,) = filter(Path.is_dir, folder.iterdir())
    copies = [folder / f"2020010{copy}T000000Z" for copy in range(1, number)]
    for copy in copies:
        copy.mkdir()
        for file in first.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
    return [*(copy.name for copy in copies), first.name]


def test_a_dry_run_of_prune_tells_what_it_removes(stocked: Shop) -> None:
    names = snapshots(stocked, 3)
    planned = stocked.run("snapshot", "prune", "--keep", 1, "--dry-run", "--json").json
    assert planned == {"dry_run": True, "removed": names[:2]}
    assert len(stocked.run("snapshot", "list", "--json").json["snapshots"]) == 3
    done = stocked.run("snapshot", "prune", "--keep", 1, "--json").json
    assert done == {"dry_run": False, "removed": names[:2]}


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("command", ["remove red", "sync few.csv --max-removal 100%"])
def test_a_loss_is_confirmed_on_a_terminal(stocked: Shop, command: str) -> None:
    stocked.feed({"navy": "navy"}, "few.csv")
    ran = stocked.run(*command.split(), stdin="n\n")
    assert (ran.code, "? [y/N]" in ran.err) == (1, True)
    assert "error: nothing was changed" in ran.err
    assert list(stocked.products()) == sorted(COLOURS)
    assert stocked.run(*command.split(), "--yes").code == 0
    assert "red" not in stocked.products()


@pytest.mark.usefixtures("terminal")
def test_leaving_a_question_interrupts_the_command(stocked: Shop) -> None:
    ran = stocked.run("remove", "red", "--json", stdin="")
    assert (ran.code, ran.json["error"]["code"]) == (130, "interrupted")
    assert "red" in stocked.products()


@pytest.mark.usefixtures("terminal")
def test_restoring_and_pruning_are_confirmed_on_a_terminal(stocked: Shop) -> None:
    names = snapshots(stocked, 2)
    stocked.run("remove", "red", "-y")
    refused = stocked.run("snapshot", "restore", names[1], stdin="n\n")
    assert (refused.code, "Replace the products of default by the 4" in refused.err) == (1, True)
    assert "red" not in stocked.products()
    assert stocked.run("snapshot", "restore", names[1], stdin="y\n").code == 0
    assert "red" in stocked.products()
    refused = stocked.run("snapshot", "prune", "--keep", 1, stdin="n\n")
    assert (refused.code, f"Remove 1 snapshots: {names[0]}?" in refused.err) == (1, True)
    assert (
        stocked.run("snapshot", "prune", "--keep", 1, "-y", "--json").json["removed"] == names[:1]
    )


@pytest.mark.usefixtures("terminal")
def test_revoking_a_key_is_confirmed_on_a_terminal(shop: Shop) -> None:
    shop.data_dir.mkdir()
    key = shop.run("keys", "create", "--scope", "search", "--json").json["id"]
    assert shop.run("keys", "revoke", key, stdin="n\n").code == 1
    assert shop.run("keys", "revoke", key, stdin="y\n").code == 0
    assert shop.run("keys", "list", "--json").json["keys"] == []


@pytest.mark.usefixtures("terminal")
def test_a_sync_that_removes_little_asks_nothing(shop: Shop) -> None:
    shop.run("add", shop.feed({f"p{number}": grey(number) for number in range(10)}))
    ran = shop.run("sync", shop.feed({f"p{number}": grey(number) for number in range(8)}))
    assert (ran.code, "[y/N]" in ran.err, len(shop.products())) == (0, False, 8)


def test_the_limit_on_removals_can_be_raised_to_what_is_meant(shop: Shop) -> None:
    shop.run("add", shop.feed({f"p{number}": "red" for number in range(10)}))
    feed = shop.feed({f"p{number}": "red" for number in range(7)})
    refused = shop.run("sync", feed)
    assert (
        "3 of 10 products, more than 20%; if that is meant, pass --max-removal 30%" in refused.err
    )
    assert shop.run("sync", feed, "--max-removal", "29%").code == 1
    assert shop.run("sync", feed, "--max-removal", "10%", "--dry-run").code == 1
    assert shop.run("sync", feed, "--max-removal", "30%").code == 0
    assert len(shop.products()) == 7


@pytest.mark.parametrize("options", [("0.3",), ("300%",), ("30%", "--allow-mass-removal")])
def test_a_limit_on_removals_is_one_percentage(shop: Shop, options: tuple[str, ...]) -> None:
    assert shop.run("sync", shop.feed({"a": "red"}), "--max-removal", *options).code == 2


@pytest.fixture
def writing(stocked: Shop) -> Iterator[Callable[[float], None]]:
    """Begins to write, for some seconds, in another thread."""
    threads: list[threading.Thread] = []

    def begin(seconds: float) -> None:
        locked = threading.Event()

        def write() -> None:
            with writer_lock(stocked.data_dir / "default"):
                locked.set()
                threading.Event().wait(seconds)

        threads.append(threading.Thread(target=write))
        threads[-1].start()
        assert locked.wait(10)

    yield begin
    for thread in threads:
        thread.join()


def test_a_command_can_wait_for_another_writer(
    stocked: Shop, writing: Callable[[float], None]
) -> None:
    writing(0.6)
    refused = stocked.run("remove", "red", "--wait", 0.1, "--json")
    assert (refused.code, refused.json["error"]["code"]) == (4, "locked")
    assert "--wait SECONDS" in refused.err
    assert stocked.run("remove", "red", "--wait", 20).code == 0


def test_looking_for_a_writer_never_refuses_one(stocked: Shop) -> None:
    folder, done = stocked.data_dir / "default", threading.Event()

    def look() -> None:
        while not done.is_set():
            writer_of(folder)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(200):
            with writer_lock(folder):
                pass
    finally:
        done.set()
        thread.join()
