"""Headers of every response."""

from flask import Flask, Response

_HEADERS = {
    "Content-Security-Policy": (
        # Photos of the catalogue are on any server that its feed names, also without TLS.
        "default-src 'self'; img-src 'self' blob: data: http: https:; object-src 'none';"
        " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # A page that opens the search page in a window cannot observe it.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def register(app: Flask) -> None:
    """Makes the application send the headers."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response
