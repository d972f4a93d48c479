"""Making, listing and revoking API keys, and how they are kept."""

import stat
import threading

import pytest

from indexer.access.keys import Keys, KeysError
from indexer.errors import LockedError
from tests.indexer.cli.conftest import Shop


def test_a_key_is_printed_once_and_only_its_hash_is_kept(shop: Shop) -> None:
    made = shop.run("keys", "create", "--scope", "search", "--scope", "events", "--name", "web")
    text = made.out.strip()
    key = Keys(shop.data_dir).find(text)
    assert key
    assert (key.name, key.scopes) == ("web", ("search", "events"))
    listed = shop.run("keys", "list")
    assert key.id in listed.out
    stored = Keys(shop.data_dir).path.read_text()
    for secret in (text, text.partition(".")[2]):
        assert secret not in stored + listed.out


def test_only_its_owner_may_read_the_file_of_the_keys(shop: Shop) -> None:
    for _ in range(2):
        shop.run("keys", "create", "--scope", "search")
        assert stat.S_IMODE(Keys(shop.data_dir).path.stat().st_mode) == 0o600


def test_a_revoked_key_is_gone_and_the_others_stay(shop: Shop) -> None:
    made = [shop.run("keys", "create", "--scope", "search", "--json").json for _ in range(3)]
    assert shop.run("keys", "revoke", made[1]["id"]).code == 0
    left = shop.run("keys", "list", "--json").json["keys"]
    assert [key["id"] for key in left] == [made[0]["id"], made[2]["id"]]
    assert Keys(shop.data_dir).find(made[1]["key"]) is None
    assert Keys(shop.data_dir).find(made[2]["key"])


def test_an_unknown_key_cannot_be_revoked_and_a_key_needs_a_known_scope(shop: Shop) -> None:
    assert shop.run("keys", "revoke", "nothing").code == 1
    shop.run("keys", "create", "--scope", "search")
    assert shop.run("keys", "revoke", "nothing").code == 1
    assert shop.run("keys", "create").code == 2
    assert shop.run("keys", "create", "--scope", "everything").code == 2


def test_damaged_keys_are_an_error_that_names_the_file(shop: Shop) -> None:
    keys = Keys(shop.data_dir)
    keys.create(["search"], "")
    keys.path.write_text("{")
    with pytest.raises(KeysError, match=r"keys\.json"):
        keys.all()
    assert shop.run("keys", "create", "--scope", "search").code == 1


@pytest.mark.slow
def test_keys_made_at_the_same_time_are_all_kept(shop: Shop) -> None:
    made: list[str] = []

    def make() -> None:
        while len(made) < 20:
            try:
                made.append(Keys(shop.data_dir).create(["search"], "")[0].id)
            except LockedError:
                continue

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(Keys(shop.data_dir).all()) == set(made)
