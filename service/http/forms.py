"""Rejects incomplete forms; Flask would accept the part that it could read."""

from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any

from flask import Request
from werkzeug.formparser import FormDataParser

from service.errors import BadRequestError

if TYPE_CHECKING:
    from werkzeug.formparser import t_parse_result


class _StrictParser(FormDataParser):
    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> "t_parse_result":
        """Parses a form.

        Raises:
            BadRequestError: the form has no boundary, or is malformed or truncated.
        """
        if mimetype == "multipart/form-data" and not (options or {}).get("boundary"):
            raise BadRequestError(
                "the content type multipart/form-data has no boundary; let the HTTP client set the"
                " content type of the form"
            )
        self.silent = False
        new_file, opened = self.stream_factory, ExitStack()

        def record(*args: Any, **named: Any) -> IO[bytes]:
            return opened.enter_context(new_file(*args, **named))

        self.stream_factory = record
        with opened:  # closes the files of a rejected form
            try:
                parsed = super().parse(stream, mimetype, content_length, options)
            except ValueError:
                raise BadRequestError(
                    "the form is malformed, or ends before its closing boundary; send all of it"
                ) from None
            opened.pop_all()
        return parsed


class StrictRequest(Request):
    """A request that rejects incomplete forms."""

    form_data_parser_class = _StrictParser
