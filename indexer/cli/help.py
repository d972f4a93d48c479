"""Examples for the help of every command, and the mark of options that may be repeated."""

from collections.abc import Iterator

import click

_PROGRAM = "python -m indexer"
_REPEATABLE = "[repeatable]"

# By full name, without the program.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "sync": (
        "sync feed.csv --dry-run",
        "sync https://shop.example/feed.xml --wait 600 --rejected rejected.csv",
        "sync - --max-removal 40% < feed.jsonl",
    ),
    "add": ("add photos/", "add new.csv corrected.csv", "add feed.csv --shard 2/8"),
    "remove": (
        "remove 4711 4712 --dry-run",
        "remove --from ids.txt --yes",
    ),
    "merge": ("merge part-1 part-2 part-3",),
    "migrate": ("migrate --to milvus --dry-run", "migrate --to milvus", "migrate --to faiss"),
    "show": ("show 4711", "show 4711 --json"),
    "list": (
        "list --filter color:red --filter 'price<=50'",
        "list --after 4711 -k 100",
        "list --ids > ids.txt",
    ),
    "search": (
        "search photo.jpg -k 5 --plot results.png",
        "search photo.jpg --box auto --filter in_stock:true",
        "search --product 4711 --json",
    ),
    "status": ("status", "status --collection shoes --json"),
    "verify": ("verify",),
    "init": ("init --collection shoes",),
    "compact": ("compact --wait 60",),
    "rebuild": ("rebuild", "rebuild --re-embed"),
    "neighbours": ("neighbours", "neighbours -k 50", "neighbours --drop"),
    "snapshot create": ("snapshot create",),
    "snapshot list": ("snapshot list",),
    "snapshot verify": ("snapshot verify 20260102T030405Z",),
    "snapshot restore": (
        "snapshot restore 20260102T030405Z --dry-run",
        "snapshot restore /backup/20260102T030405Z --yes",
    ),
    "snapshot prune": ("snapshot prune --keep 14",),
    "import-features": (
        "import-features features.npy names.txt --photos photos/",
        "import-features out/features.npy out/names.txt --same-model",
    ),
    "export": ("export out",),
    "keys create": ("keys create --scope search --scope events --name storefront",),
    "keys list": ("keys list",),
    "keys revoke": ("keys revoke 1a2b3c4d",),
    "report": ("report --days 7",),
    "ratings export": ("ratings export ratings.jsonl",),
    "ratings import": ("ratings import ratings.jsonl",),
    "evaluate": (
        "evaluate --label color",
        "evaluate --queries queries.csv --report report.html",
        "evaluate --compare current weights=store.npz",
    ),
    "audit": ("audit --report audit.html", "audit --only near_duplicate --fail-on near_duplicate"),
    "calibrate": ("calibrate store.int8",),
    "finetune": ("finetune store.npz --label category --label brand",),
    "whiten": ("whiten store.npz",),
}


def add_examples(group: click.Group) -> None:
    """Adds to the help of every command of a group its examples, and marks repeatable options."""
    for name, command in _commands(group):
        lines = [f"  {_PROGRAM} {example}" for example in EXAMPLES[name]]
        command.epilog = "\n".join(["\b", "Examples:", *lines])
        for option in command.params:
            if isinstance(option, click.Option) and option.multiple:
                option.help = f"{option.help}  {_REPEATABLE}"


def _commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command
