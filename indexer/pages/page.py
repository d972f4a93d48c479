"""Renders a page from its template and style sheet."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).parent


def render_page(template: Path, **values: object) -> str:
    """Returns a page as HTML.

    Its content security policy admits only its own style sheet, and pictures in `data:` URIs.

    Args:
        template: of Jinja; extends `page.html`. Its style sheet has its name, with the suffix .css.
        values: for the template, which escapes them.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, _FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sheets = (_FOLDER / "page.css", template.with_suffix(".css"))
    style = "".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    return environment.get_template(template.name).render(
        **values,
        style=Markup(style),  # noqa: S704 - files of the package
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
