"""Describes why XML is not well-formed: where, what the file has there, and how to correct it."""

from pathlib import Path
from xml.parsers import expat
from xml.parsers.expat import errors

_CONTEXT = 30  # bytes before and after the place

_ADVICE = {
    errors.XML_ERROR_TAG_MISMATCH: "close each tag by its name, the inner one first",
    errors.XML_ERROR_INVALID_TOKEN: "in text, write & as &amp; and < as &lt;, and save as UTF-8",
    errors.XML_ERROR_UNDEFINED_ENTITY: "write the character itself, or its number as &#160;",
    errors.XML_ERROR_NO_ELEMENTS: "the file is truncated; export it again",
    errors.XML_ERROR_UNCLOSED_TOKEN: "the file is truncated; export it again",
    errors.XML_ERROR_UNCLOSED_CDATA_SECTION: "the file is truncated; export it again",
    errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: "remove what follows the end of the feed",
    errors.XML_ERROR_DUPLICATE_ATTRIBUTE: "remove the second attribute of the same name",
}


def describe(path: Path, parser: expat.XMLParserType, error: Exception) -> str:
    """Returns the message for an error of the parser of a file."""
    if not isinstance(error, expat.ExpatError):
        return f"{path}: not well-formed XML: {error}; save the file as UTF-8"
    place = max(parser.ErrorByteIndex, 0)
    with path.open("rb") as stream:
        stream.seek(max(place - _CONTEXT, 0))
        found = stream.read(min(place, _CONTEXT) + _CONTEXT).decode("utf-8", "replace")
    advice = _ADVICE.get(errors.messages[error.code], "correct it, or export the feed again")
    context = f" at {found!r}" if found else ""
    return f"{path}: not well-formed XML: {error}{context}; {advice}"
