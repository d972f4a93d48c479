"""The files of the pages, at addresses that change with them, so that browsers keep the files."""

import re
from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import current_app, send_from_directory
from werkzeug.wrappers import Response

from service.access.scopes import ScopedBlueprint
from service.http.caching import YEAR_S, kept, revalidated
from service.http.compression import compressed

blueprint = ScopedBlueprint("assets", __name__)

_ADDRESS = re.compile(r'(?<=")static/')


@blueprint.get("/static/<build>/<path:filename>", scope=None)
def asset(build: str, filename: str) -> Response:
    """A file of the pages. Scripts import others relative to their address, so with its build."""
    folder = _folder()
    response = send_from_directory(folder, filename)
    if build == _build(folder):
        kept(response, YEAR_S)
    return compressed(response)  # other builds: to a page that was opened before an update


@blueprint.get("/static/embed.js", scope=None)
def embed() -> Response:
    """The widget, at an address that pages of shops can name."""
    return compressed(send_from_directory(_folder(), "embed.js"))


def page(name: str) -> Response:
    """Returns the response with a page, whose files are those of this build."""
    response = Response(_page(_folder(), name), content_type="text/html; charset=utf-8")
    return compressed(revalidated(response))


@cache
def _page(folder: Path, name: str) -> str:
    text = (folder / name).read_text(encoding="utf-8")
    return _ADDRESS.sub(f"static/{_build(folder)}/", text)


@cache
def _build(folder: Path) -> str:
    """Returns a hash of all files of the pages."""
    digest = sha256()
    for path in sorted(folder.iterdir()):
        digest.update(f"{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _folder() -> Path:
    return Path(str(current_app.static_folder))
