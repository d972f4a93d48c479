"""Generates the reference pages and `config.yaml` from the code: `make docs`.

A test checks that the files are up to date.
"""

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

import click
import yaml

from docs.api_page import NOTE, api, errors, problems
from indexer.cli import main as cli
from indexer.config import EmbeddingSettings, Setting, Settings, table

ROOT = Path(__file__).parent.parent


def pages() -> dict[Path, str]:
    """Returns the text of each generated file by its path."""
    return {
        ROOT / "config.yaml": "\n".join(_config_yaml()) + "\n",
        ROOT / "docs" / "configuration.md": "\n".join(_configuration()) + "\n",
        ROOT / "docs" / "cli.md": "\n".join(_cli()) + "\n",
        ROOT / "docs" / "api.md": "\n".join(api()) + "\n",
        ROOT / "docs" / "errors.md": "\n".join(errors()) + "\n",
        ROOT / "service" / "static" / "problems.html": "\n".join(problems()) + "\n",
    }


def _config_yaml() -> Iterator[str]:
    yield "# The defaults of all settings. The environment variable IMAGE_SEARCH_<SECTION>_<KEY>"
    yield "# overrides a setting. Paths are relative to this file."
    section = ""
    for setting in table():
        if setting.section != section:
            section = setting.section
            yield f"\n{section}:"
        for line in wrap(
            f"{setting.description} Allowed: {setting.allowed}.", 92, break_on_hyphens=False
        ):
            yield f"  # {line}"
        yield f"  {setting.key}: {_plain(setting)}"
    yield ""
    yield f"# {Settings.model_fields['collections'].description}"
    yield "# Each has its own catalogue and can override `embedding`, for example:"
    yield "#   shoes: {embedding: {weights: imagenet}}"
    yield "collections: {}"


def _plain(setting: Setting) -> str:
    default = str(setting.default) if isinstance(setting.default, Path) else setting.default
    return str(yaml.safe_dump(default)).splitlines()[0]


def _configuration() -> Iterator[str]:
    yield from ("# Settings", "", NOTE, "")
    yield "Environment variables override `config.yaml` in the working directory (or the file named"
    yield "by `--config` or `IMAGE_SEARCH_CONFIG`), which overrides the defaults. An unknown key or"
    yield "an invalid value stops the program with one line that names the key, the received value"
    yield "and the allowed values."
    yield ""
    yield "| setting | variable | default | allowed | meaning |"
    yield "|---|---|---|---|---|"
    for setting in table():
        yield (
            f"| `{setting.section}.{setting.key}` | `{setting.variable}` | `{setting.default}` |"
            f" {setting.allowed} | {setting.description} |"
        )
    keys = ", ".join(f"`{key}`" for key in EmbeddingSettings.model_fields)
    yield ""
    yield "## Collections"
    yield ""
    yield "`collections` defines further sections of the store, each with its own catalogue. A"
    yield f"collection can override {keys} under `embedding`,"
    yield "and `hide_out_of_stock` of `search`:"
    yield ""
    yield "```yaml"
    yield "collections:"
    yield "  shoes:"
    yield "    embedding: {weights: models/shoes.npz, input_size: 96}"
    yield "    hide_out_of_stock: true"
    yield "```"


def _cli() -> Iterator[str]:
    yield from ("# Command line", "", NOTE, "", "```", _help(cli, "python -m indexer"), "```")
    yield ""
    yield "After `pip install .` the program is also called `product-search`. To complete its"
    yield "commands and options in the shell, put a line into the startup file:"
    yield ""
    yield "| shell | file | line |"
    yield "|---|---|---|"
    for shell, file in (("bash", "~/.bashrc"), ("zsh", "~/.zshrc")):
        line = f'eval "$(_PRODUCT_SEARCH_COMPLETE={shell}_source product-search)"'
        yield f"| {shell} | `{file}` | `{line}` |"
    fish = "_PRODUCT_SEARCH_COMPLETE=fish_source product-search | source"
    yield f"| fish | `~/.config/fish/completions/product-search.fish` | `{fish}` |"
    for name, command in commands():
        yield from ("", f"## {name}", "", "```")
        yield _help(command, f"python -m indexer {name}")
        yield "```"


def commands(group: click.Group = cli, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yields every command with its full name, sorted: `add`, `snapshot create`."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _help(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name, terminal_width=100, max_content_width=100)
    return command.get_help(context)


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")
        print(file.relative_to(ROOT))
