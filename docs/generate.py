"""Writes the reference pages, and `config.yaml`, from the code: `make docs`.

A test compares the files with what this gives, so they cannot fall behind.
"""

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

import click
import yaml

from indexer.cli import main as cli
from indexer.config import EmbeddingSettings, Setting, Settings, table
from service.api.pages import document

ROOT = Path(__file__).parent.parent
_NOTE = "<!-- Written by docs/generate.py; change the code instead. -->"


def pages() -> dict[Path, str]:
    """Each generated file with its text."""
    return {
        ROOT / "config.yaml": "\n".join(_config_yaml()) + "\n",
        ROOT / "docs" / "configuration.md": "\n".join(_configuration()) + "\n",
        ROOT / "docs" / "cli.md": "\n".join(_cli()) + "\n",
        ROOT / "docs" / "api.md": "\n".join(_api()) + "\n",
    }


def _config_yaml() -> Iterator[str]:
    yield "# Every setting at its default. IMAGE_SEARCH_<SECTION>_<KEY> in the environment comes"
    yield "# first. Relative paths here are relative to this file."
    section = ""
    for setting in table():
        if setting.section != section:
            section = setting.section
            yield f"\n{section}:"
        for line in wrap(f"{setting.description} Allowed: {setting.allowed}.", 92):
            yield f"  # {line}"
        yield f"  {setting.key}: {_plain(setting)}"
    yield ""
    yield f"# {Settings.model_fields['collections'].description}"
    for line in wrap("Each is a catalogue of its own with an `embedding` of its own, for example:"):
        yield f"# {line}"
    yield "#   shoes: {embedding: {weights: imagenet}}"
    yield "collections: {}"


def _plain(setting: Setting) -> str:
    default = str(setting.default) if isinstance(setting.default, Path) else setting.default
    return str(yaml.safe_dump(default)).splitlines()[0]


def _configuration() -> Iterator[str]:
    yield from ("# Settings", "", _NOTE, "")
    yield "A value comes from the default, then from `config.yaml` of the working directory (or the"
    yield "file that `--config` or `IMAGE_SEARCH_CONFIG` names), then from the environment."
    yield "An unknown key, a wrong type or an impossible value stops the program with one line that"
    yield "names the key, what was received and what is allowed."
    yield ""
    yield "| setting | variable | default | allowed | meaning |"
    yield "|---|---|---|---|---|"
    for setting in table():
        yield (
            f"| `{setting.section}.{setting.key}` | `{setting.variable}` | `{setting.default}` |"
            f" {setting.allowed} | {setting.description} |"
        )
    own = ", ".join(f"`{key}`" for key in EmbeddingSettings.model_fields)
    yield ""
    yield "## Collections"
    yield ""
    yield "`collections` names further sections of the store. Each has a catalogue of its own and,"
    yield f"under `embedding`, those of {own} that differ; and `hide_out_of_stock`, if it differs"
    yield "from that of `search`:"
    yield ""
    yield "```yaml"
    yield "collections:"
    yield "  shoes:"
    yield "    embedding: {weights: models/shoes.npz, input_size: 96}"
    yield "    hide_out_of_stock: true"
    yield "```"


def _cli() -> Iterator[str]:
    yield from ("# Command line", "", _NOTE, "", "```", _help(cli, "python -m indexer"), "```")
    for name, command in commands():
        yield from ("", f"## {name}", "", "```")
        yield _help(command, f"python -m indexer {name}")
        yield "```"


def commands(group: click.Group = cli, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, by name: `add`, `snapshot create`."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _help(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name, terminal_width=100, max_content_width=100)
    return command.get_help(context)


def _api() -> Iterator[str]:
    description = document()
    yield from ("# HTTP API", "", _NOTE, "", description["info"]["description"], "")
    yield "The same as OpenAPI 3.1: `/openapi.json`. Every error is a problem document (RFC 9457,"
    yield "`application/problem+json`): `type`, `title`, `status`, `detail` and a stable `code`."
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield from ("", f"## {method.upper()} {path}", "", operation["summary"], "")
            if "description" in operation:
                yield from (operation["description"], "")
            yield from _parameters(operation)
            yield from _bodies(operation)
            yield from _answers(operation)
    yield from ("", "# Schemas")
    for name, schema in sorted(description["components"]["schemas"].items()):
        yield from ("", f"## {name}", "", schema.get("description", ""), "")
        yield from _fields(schema)


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    if operation.get("parameters"):
        yield from ("| parameter | in | type | meaning |", "|---|---|---|---|")
        for parameter in operation["parameters"]:
            yield (
                f"| `{parameter['name']}` | {parameter['in']} | {_type(parameter['schema'])} |"
                f" {parameter.get('description', '')} |"
            )
        yield ""


def _bodies(operation: dict[str, Any]) -> Iterator[str]:
    for content_type, body in operation.get("requestBody", {}).get("content", {}).items():
        yield from (f"Body `{content_type}`: {_type(body['schema'])}", "")
        if "properties" in body["schema"]:
            yield from (*_fields(body["schema"]), "")


def _answers(operation: dict[str, Any]) -> Iterator[str]:
    yield from ("| answer | what |", "|---|---|")
    for status, answer in operation["responses"].items():
        schemas = [
            part["schema"] for part in answer.get("content", {}).values() if "schema" in part
        ]
        yield f"| {status} | {answer['description']} {', '.join(map(_type, schemas))} |"


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    yield from ("| field | type | meaning |", "|---|---|---|")
    for name, field in schema["properties"].items():
        yield f"| `{name}` | {_type(field)} | {field.get('description', '')} |"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        parts = [part for part in schema["anyOf"] if part.get("type") != "null"]
        return " or ".join(map(_type, parts)) + _default(schema)
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    bounds = [f"{schema[key]}" for key in ("minimum", "maximum") if key in schema]
    limits = f" {' to '.join(bounds)}" if bounds else ""
    return f"{schema.get('type', 'any')}{limits}{_default(schema)}"


def _default(schema: dict[str, Any]) -> str:
    return f", default {schema['default']}" if schema.get("default") is not None else ""


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")
        print(file.relative_to(ROOT))
