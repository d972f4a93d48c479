"""Parses multipart forms in memory, and rejects incomplete ones.

Flask would accept the part of a form that it could read. The server has already reserved the
memory.
"""

import io
from typing import IO, TYPE_CHECKING

from flask import Request
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from service.errors import BadRequestError

if TYPE_CHECKING:
    from werkzeug.formparser import t_parse_result

_CHUNK = 256 * 1024
_MAX_HEADERS = 32  # of a part


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
            RequestEntityTooLarge: it has too many parts, or a field is too long.
        """
        if mimetype != "multipart/form-data":
            return super().parse(stream, mimetype, content_length, options)
        boundary = (options or {}).get("boundary")
        if not boundary:
            raise BadRequestError(
                "the content type multipart/form-data has no boundary; let the HTTP client set the"
                " content type of the form"
            )
        try:
            return self._parsed(stream, boundary)
        except ParserLimitReached:
            raise RequestEntityTooLarge from None
        except MultipartError:
            raise BadRequestError(
                "the form is malformed, has a name that is not UTF-8, or ends before its closing"
                " boundary; send all of it"
            ) from None

    def _parsed(self, stream: IO[bytes], boundary: str) -> "t_parse_result":
        fields: list[tuple[str, str]] = []
        files: list[tuple[str, FileStorage]] = []
        parser = PushMultipartParser(
            boundary, max_segment_count=self.max_form_parts, max_header_count=_MAX_HEADERS
        )
        content: list[bytes] = []
        for event in parser.parse_blocking(stream.read, _CHUNK):
            if isinstance(event, MultipartSegment):
                part, content = event, []
                # Older clients write names with other letters than those of ASCII as `filename*`.
                is_file = part.filename is not None or "filename*" in part["Content-Disposition"]
            elif event is not None:
                content.append(event)
                if not is_file and part.bytes_received > self.max_form_memory_size:
                    raise RequestEntityTooLarge
            elif is_file:
                file = FileStorage(io.BytesIO(b"".join(content)), part.filename, part.name)
                files.append((part.name, file))
            else:
                fields.append((part.name, _text(b"".join(content), part.charset)))
        return stream, self.cls(fields), self.cls(files)


def _text(content: bytes, charset: str | None) -> str:
    try:
        return content.decode(charset or "utf-8", errors="replace")
    except LookupError:
        return content.decode(errors="replace")


class StrictRequest(Request):
    """A request that rejects incomplete forms."""

    form_data_parser_class = _StrictParser
