"""What all commands share: help, --json, exit codes, settings."""

import json
import re
import shlex

import click
import pytest
from click.shell_completion import BashComplete

from docs.generate import commands
from indexer.cli import main
from indexer.cli.errors import DONE, FAILED, INTERRUPTED, LOCKED, SOME_REJECTED, USAGE
from tests.indexer.cli.conftest import Shop


@pytest.mark.parametrize("name", dict(commands()))
def test_every_command_and_option_has_help(shop: Shop, name: str) -> None:
    ran = shop.run(*name.split(), "--help")
    assert ran.code == 0
    assert "--json" in ran.out
    command = dict(commands())[name]
    assert command.help
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name


def test_the_help_names_every_command_and_exit_code(shop: Shop) -> None:
    out = shop.run("--help").out
    assert all(command in out for command in main.commands)
    codes = (DONE, FAILED, USAGE, SOME_REJECTED, LOCKED, INTERRUPTED)
    assert all(f" {code}  " in out for code in codes)


@pytest.mark.parametrize("name", dict(commands()))
def test_the_examples_of_a_command_are_valid(name: str) -> None:
    command = dict(commands())[name]
    lines = str(command.epilog).splitlines()[2:]
    assert lines
    for line in lines:
        words = shlex.split(line.partition(" <")[0].partition(" >")[0])
        assert words[:3] == ["python", "-m", "indexer"]
        assert words[3 : 3 + len(name.split())] == name.split()
        given = words[3 + len(name.split()) :]
        command.make_parser(click.Context(command)).parse_args(given)


def test_options_that_may_be_repeated_are_marked() -> None:
    for name, command in commands():
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.multiple == ("[repeatable]" in str(option.help)), (name, option.name)


def test_the_collection_may_be_named_before_or_after_the_command_or_in_the_environment(
    stocked: Shop,
) -> None:
    (stocked.folder / "config.yaml").write_text("collections: {shoes: {}, hats: {}}")

    def used(*arguments: str, **environ: str) -> str:
        return str(stocked.run(*arguments, "--json", **environ).json["collection"])

    assert used("--collection", "shoes", "status") == "shoes"
    assert used("status", "--collection", "shoes") == "shoes"
    assert used("status", IMAGE_SEARCH_COLLECTION="shoes") == "shoes"
    assert used("status", "--collection", "hats", IMAGE_SEARCH_COLLECTION="shoes") == "hats"
    assert used("--collection", "hats", "status", "--collection", "hats") == "hats"
    ran = stocked.run("--collection", "hats", "status", "--collection", "shoes", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "bad_parameter")
    assert "received two collections: hats and shoes" in ran.err


def test_quiet_leaves_errors_only(shop: Shop) -> None:
    feed = shop.feed({"a": "red"})
    with feed.open("a") as stream:
        stream.write("b,nothing.png,b!,5\n")
    quiet = shop.run("sync", feed, "-q")
    assert (quiet.code, quiet.err) == (3, "")
    assert "1 added" in quiet.out
    assert shop.run("show", "b", "--quiet").err.startswith("error: ")
    assert "rejected: " in shop.run("sync", feed).err


def test_verbose_names_the_settings_and_the_time(shop: Shop) -> None:
    (shop.folder / "config.yaml").write_text("index: {type: flat}")
    ran = shop.run("sync", shop.feed({"a": "red"}), "-v", "--json")
    assert "settings file: config.yaml; variables: IMAGE_SEARCH_STORAGE_DATA_DIR" in ran.err
    assert f"collection default in {shop.data_dir / 'default'}" in ran.err
    assert re.search(r"took \d+\.\d s", ran.err)
    assert ran.json["added"] == 1
    assert shop.run("status", "-q", "-v").code == 2


def test_the_shell_completes_commands_and_options() -> None:
    complete = BashComplete(main, {}, "product-search", "_PRODUCT_SEARCH_COMPLETE")

    def completed(arguments: list[str], word: str) -> list[str]:
        return [item.value for item in complete.get_completions(arguments, word)]

    assert completed([], "sy") == ["sync"]
    assert completed(["snapshot"], "pr") == ["prune"]
    assert completed(["sync", "-v", "feed.csv"], "--max") == ["--max-removal"]


# Of the commands that need some.
ARGUMENTS: dict[str, list[str]] = {
    "add": ["feed.csv"],
    "sync": ["feed.csv"],
    "merge": ["data"],
    "remove": ["navy"],
    "show": ["red"],
    "search": ["--product", "red"],
    "evaluate": ["--label", "size"],
    "export": ["out"],
    "import-features": ["out/features.npy", "out/names.txt"],
    "ratings export": ["ratings.jsonl"],
    "ratings import": ["ratings.jsonl"],
    "snapshot prune": ["--keep", "1"],
    "keys create": ["--scope", "search"],
}


def test_json_is_one_document_on_stdout_and_nothing_else(stocked: Shop) -> None:
    feed = stocked.folder / "feed.csv"
    head, *rows = feed.read_text().splitlines()
    sized = [f"{row},{'SL'[number % 2]}" for number, row in enumerate(rows)]
    feed.write_text("\n".join([f"{head},size", *sized]) + "\n")
    assert stocked.run("add", feed).code == 0
    copy = stocked.run("snapshot", "create", "--json").json["name"]
    arguments = {**ARGUMENTS, "snapshot verify": [copy], "snapshot restore": [copy]}
    arguments["keys revoke"] = [
        stocked.run("keys", "create", "--scope", "events", "--json").json["id"]
    ]
    # These are looked at where there are photos enough for them, or both backends.
    elsewhere = ("calibrate", "whiten", "finetune", "migrate")
    others = (name for name, _ in commands() if name not in (*arguments, *elsewhere))
    for name in [*arguments, *others]:
        ran = stocked.run(*name.split(), *arguments.get(name, []), "--json")
        assert ran.code == 0, (name, ran.err)
        assert isinstance(json.loads(ran.out), dict)


def test_json_of_a_failure_is_one_document_too(shop: Shop) -> None:
    for arguments in (["search", "x.png"], ["export", "out"], ["remove", "x"], ["add", "no.csv"]):
        ran = shop.run(*arguments, "--json")
        assert ran.code == FAILED
        error = json.loads(ran.out)["error"]
        assert set(error) == {"code", "detail"}
        assert ran.err == f"error: {error['detail']}\n"


USAGES: dict[str, list[str]] = {
    "no query": ["search"],
    "two queries": ["search", "photo.png", "--product", "red"],
    "too many results": ["search", "--product", "red", "-k", "201"],
    "a score above 1": ["search", "--product", "red", "--min-score", "1.5"],
    "no such option": ["search", "--nothing"],
    "no such option of the group": ["--nothing", "status"],
    "no such option of a subcommand": ["snapshot", "list", "--nothing"],
    "an argument is missing": ["snapshot", "verify"],
    "no such command": ["nothing"],
    "nothing to add": ["add"],
    "nothing to remove": ["remove"],
    "no such list": ["remove", "--from", "nothing.txt"],
    "no such collection": ["--collection", "nothing", "status"],
    "no such settings": ["--config", "nothing.yaml", "status"],
}


@pytest.mark.parametrize("case", USAGES)
def test_wrong_usage_is_exit_code_2_and_says_why(stocked: Shop, case: str) -> None:
    ran = stocked.run(*USAGES[case])
    assert (ran.code, ran.out) == (USAGE, "")
    assert ran.err.strip()


@pytest.mark.parametrize("case", USAGES)
def test_json_of_wrong_usage_is_one_document_too(stocked: Shop, case: str) -> None:
    ran = stocked.run(*USAGES[case], "--json")
    assert ran.code == USAGE
    assert set(ran.json["error"]) == {"code", "detail"}
    assert ran.json["error"]["detail"] in ran.err


SETTINGS: dict[str, tuple[str, list[str]]] = {
    "embedding:\n  input_size: 31\n": ("embedding.input_size", ["31", "32", "512", "auto"]),
    "embedding:\n  resize: cubic\n": ("embedding.resize", ["cubic", "bilinear"]),
    "embedding:\n  input_siz: 3\n": ("embedding: unknown setting 'input_siz'", ["input_size"]),
    "service:\n  port: true\n": ("service.port", ["true", "65535"]),
    "servise:\n  port: 1\n": ("servise", ["service"]),
}


@pytest.mark.parametrize("text", SETTINGS)
def test_a_wrong_setting_is_one_line_with_key_received_and_allowed(shop: Shop, text: str) -> None:
    key, words = SETTINGS[text]
    path = shop.folder / "settings.yaml"
    path.write_text(text)
    ran = shop.run("--config", path, "status", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (USAGE, "bad_config")
    assert ran.err.count("\n") == 1
    assert key in ran.err
    assert all(word in ran.err for word in words), ran.err


def test_a_wrong_setting_in_the_environment_is_told_alike(shop: Shop) -> None:
    ran = shop.run("status", IMAGE_SEARCH_EMBEDDING_INPUT_SIZE="huge")
    assert ran.code == USAGE
    assert all(word in ran.err for word in ("embedding.input_size", "huge", "32", "auto"))


def test_collections_of_the_settings_are_apart(shop: Shop) -> None:
    config = shop.folder / "settings.yaml"
    config.write_text("storage: {data_dir: data}\ncollections: {bags: {}}\n")
    bag, shoe = shop.photo("bag.png", "red"), shop.photo("shoe.png", "red")
    assert shop.run("--config", config, "--collection", "bags", "add", bag).code == 0
    assert shop.run("--config", config, "add", shoe).code == 0
    found = shop.run("--config", config, "--collection", "bags", "search", shoe, "--json").json
    assert found["collection"] == "bags"
    assert [result["product_id"] for result in found["results"]] == ["bag"]


def test_the_interrupt_code_is_that_of_shells() -> None:
    assert INTERRUPTED == 128 + 2


def test_a_bad_filter_is_wrong_usage(stocked: Shop) -> None:
    ran = stocked.run("search", "--product", "red", "--filter", "colour:red", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (USAGE, "bad_filter")
