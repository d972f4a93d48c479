"""Recognises the format of a file by its first bytes, regardless of its name."""

import re

from indexer.errors import EmptyImageError, TruncatedImageError, UnsupportedFormatError

_FORMATS = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "GIF": re.compile(rb"GIF8[79]a"),
    "WEBP": re.compile(rb"(?s)RIFF....WEBPVP8[ LX]"),
    "BMP": re.compile(rb"(?s)BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    "AVIF": re.compile(rb"(?s)....ftyp(avif|avis|(mif1|msf1|miaf).{0,64}avi[fs])"),
}

_CUT_SHORT = re.compile(
    rb"(?s)(\x89P?N?G?\r?\n?\x1a?|GIF8?[79]?|\xff\xd8?|RIFF.{0,11}|BM.{0,15})\Z"
)

_TEXT = rb"(?is)(\xef\xbb\xbf)?\s{0,1000}"  # a byte order mark and white space may come first

_REFUSED = {
    "HEIC": re.compile(rb"(?s)....ftyp(hei[cxms]|hev[cx]|mif1|msf1)"),
    "a video or another ISO media file": re.compile(rb"(?s)....ftyp"),
    "TIFF or a raw photo": re.compile(rb"II[*+]\0|MM\0[*+]"),
    "PDF": re.compile(rb"%PDF"),
    "PostScript": re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"),
    "a Photoshop document": re.compile(rb"8BPS"),
    "an icon or cursor": re.compile(rb"\0\0[\1\2]\0|icns"),
    "JPEG 2000": re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    "JPEG XL": re.compile(rb"\0\0\0\x0cJXL |\xff\x0a"),
    "a zip archive": re.compile(rb"PK\x03\x04"),
    "SVG": re.compile(_TEXT + rb"(<\?xml.{0,2000})?(<!--.{0,2000})?<(!doctype )?svg"),
    "a web page": re.compile(_TEXT + rb"<(!doctype )?html"),
}

_ACCEPTED = "send JPEG, PNG, WebP, AVIF, GIF or BMP"


def recognise(data: bytes) -> str:
    """Returns Pillow's name of the format of `data`, one of the six that are supported.

    Raises:
        EmptyImageError: `data` is empty.
        TruncatedImageError: `data` is too short to recognise.
        UnsupportedFormatError: `data` is in another format.
    """
    if not data:
        raise EmptyImageError("the photo is empty (0 bytes)")
    for form, signature in _FORMATS.items():
        if signature.match(data):
            return form
    if _CUT_SHORT.match(data):
        raise TruncatedImageError(f"the photo is cut off after {len(data)} bytes; send it whole")
    for name, signature in _REFUSED.items():
        if signature.match(data):
            raise UnsupportedFormatError(f"this is {name}; {_ACCEPTED}")
    # The text does not quote the bytes: a feed may name any file of the machine.
    raise UnsupportedFormatError(f"not an image in a known format; {_ACCEPTED}")
