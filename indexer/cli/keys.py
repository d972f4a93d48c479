"""Commands for API keys: keys create, list, revoke."""

from typing import Any

import click
from rich.table import Table

from indexer.access.keys import SCOPES, Key, Keys, Scope
from indexer.cli.app import App, Output, reporting


@click.group()
def keys() -> None:
    """Make, list and revoke the keys that HTTP clients send.

    Keys are for all collections. A running service takes changes up at once.
    """


@keys.command()
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="What the key is for; may be repeated. `admin` includes the others.",
)
@click.option("--name", default="", help="Who uses it, for the list.")
@reporting
def create(app: App, scopes: tuple[Scope, ...], name: str) -> Output:
    """Make a key and print it, this once: only a hash of it is kept."""
    key, text = _keys(app).create(scopes, name)
    return Output({**_document(key), "key": text}, text)


@keys.command("list")
@reporting
def list_(app: App) -> Output:
    """List the keys, oldest first."""
    listed = list(_keys(app).all().values())
    table = Table("id", "name", "scopes", "created", box=None)
    for key in listed:
        table.add_row(key.id, key.name, ", ".join(key.scopes), key.created_at)
    return Output({"keys": [_document(key) for key in listed]}, table)


@keys.command()
@click.argument("key_id", metavar="ID")
@reporting
def revoke(app: App, key_id: str) -> Output:
    """Make the key ID invalid. To replace one, create the new key first."""
    revoked = _keys(app).revoke(key_id)
    return Output(_document(revoked), f"revoked {revoked.id} {revoked.name}".strip())


def _keys(app: App) -> Keys:
    return Keys(app.settings.storage.data_dir)


def _document(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes,
        "created_at": key.created_at,
    }
