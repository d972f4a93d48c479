"""The command line: parse, call, print. `python -m indexer --help` lists the commands."""

from indexer.cli.app import main
from indexer.cli.audit import audit
from indexer.cli.calibrate import calibrate
from indexer.cli.check import verify
from indexer.cli.evaluate import evaluate
from indexer.cli.finetune import finetune
from indexer.cli.help import add_examples
from indexer.cli.keys import keys
from indexer.cli.maintain import compact, init, rebuild
from indexer.cli.migrate import migrate
from indexer.cli.neighbours import neighbours
from indexer.cli.products import list_, show
from indexer.cli.ratings import ratings
from indexer.cli.report import report
from indexer.cli.search import search
from indexer.cli.snapshots import snapshot
from indexer.cli.status import status
from indexer.cli.transfer import export, import_features
from indexer.cli.whiten import whiten
from indexer.cli.write import add, merge, remove, sync

main.add_section("Products", (sync, add, remove, search, show, list_))
main.add_section("Collection", (status, verify, init, compact, rebuild, neighbours, snapshot))
main.add_section("Transfer", (merge, migrate, import_features, export))
main.add_section("Service", (keys, report, ratings))
main.add_section("Quality and model", (evaluate, audit, calibrate, finetune, whiten))
add_examples(main)

__all__ = ["main"]
