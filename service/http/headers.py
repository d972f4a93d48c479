"""Headers that every answer carries."""

from flask import Flask, Response

_HEADERS = {
    "Content-Security-Policy": (
        # Photos of the catalogue are wherever its feed says, also on servers without TLS.
        "default-src 'self'; img-src 'self' blob: data: http: https:; object-src 'none';"
        " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # A page that opens the search page in a window learns nothing of what is done there.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def register(app: Flask) -> None:
    """Makes the application send them."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response
