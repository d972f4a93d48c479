"""The commands `keys create`, `keys list` and `keys revoke`."""

from typing import Any

import click
from rich.table import Table

from indexer.access.keys import SCOPES, Key, Keys, Scope
from indexer.cli.app import App, Output, reporting
from indexer.cli.options import confirm, confirmed


@click.group()
def keys() -> None:
    """Create, list and revoke API keys of the HTTP service.

    A key is valid for all collections. Changes apply to a running service at once.
    """


@keys.command()
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="What the key permits. `admin` includes all others.",
)
@click.option("--name", default="", help="Name for the list, such as the user of the key.")
@reporting
def create(app: App, scopes: tuple[Scope, ...], name: str) -> Output:
    """Create a key and print it. It is not shown again, because only its hash is stored."""
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
@confirmed
@reporting
def revoke(app: App, key_id: str) -> Output:
    """Revoke the key ID. To replace a key, create the new one first."""
    confirm(app, f"Revoke the key {key_id}?")
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
