"""Logs one line per request, with an id that the response also has.

A client or a proxy may send the id as X-Request-ID. Control characters in text from clients, such
as a path, are escaped, so that it cannot start a line.
"""

import atexit
import copy
import logging
import re
import sys
import threading
import time
import uuid
from logging.config import dictConfig
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import Any

from flask import Flask, Response, g, has_request_context, request

HEADER = "X-Request-ID"
_USABLE = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)
# Polled every few seconds.
_QUIET = {"/healthz", "/readyz", "/metrics"}

# C0 and C1, which include line feeds and terminal escapes, and the line breaks of Unicode.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

log = logging.getLogger("service.requests")


class TextFormatter(logging.Formatter):
    """Formats a record as one line, followed by the indented lines of a traceback."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # of logging
        return _escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  # of logging
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802  # of logging
        return _indented(super().formatStack(stack_info))


class _Queue(QueueHandler):
    """Leaves formatting to the listener, which is in the same process."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        prepared = copy.copy(record)
        prepared.msg, prepared.args = record.getMessage(), None  # arguments may change meanwhile
        return prepared


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _indented(lines: str) -> str:
    return "\n".join(f"  {_escaped(line)}" for line in lines.split("\n"))


def current_request_id() -> str:
    """Returns the id of the current request; "" outside of one."""
    return str(g.get("request_id", "")) if has_request_context() else ""


def configuration(form: str, level: str) -> dict[str, Any]:
    """Returns the settings for `logging.config.dictConfig`: stderr, as `json` or `text`."""
    formatters = {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "%(asctime)s %(levelname)s %(process)d %(name)s %(message)s",
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
        },
        "text": {
            "()": TextFormatter,
            "format": "%(asctime)s %(levelname)s [%(process)d] %(name)s: %(message)s",
        },
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": formatters,
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": form}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {
            "gunicorn.error": {"level": level.upper(), "propagate": True},
            "faiss.loader": {"level": "WARNING"},  # it logs every missing file
        },
    }


def start_logging(form: str, level: str) -> None:
    """Starts logging, also of warnings and uncaught exceptions."""
    dictConfig(configuration(form, level))
    logging.captureWarnings(capture=True)

    def log_fault(kind: type[BaseException], fault: BaseException, trace: Any) -> None:
        logging.critical("a fault ends the process", exc_info=(kind, fault, trace))

    def log_fault_of_thread(fault: threading.ExceptHookArgs) -> None:
        name = fault.thread.name if fault.thread else "unknown"
        logging.error("a fault ends thread %s", name, exc_info=fault.exc_value)

    sys.excepthook = log_fault
    threading.excepthook = log_fault_of_thread


def write_in_background() -> None:
    """Writes lines in a thread, so that requests do not wait for stderr."""
    root = logging.getLogger()
    lines: SimpleQueue[logging.LogRecord] = SimpleQueue()
    listener = QueueListener(lines, *root.handlers)
    root.handlers = [_Queue(lines)]
    listener.start()
    atexit.register(listener.stop)


def register(app: Flask) -> None:
    """Gives every request an id and a line in the log."""
    factory = logging.getLogRecordFactory()

    def record_of_a_request(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = factory(*args, **kwargs)
        if has_request_context() and "request_id" in g:
            record.request_id = g.request_id
        return record

    logging.setLogRecordFactory(record_of_a_request)

    @app.before_request
    def begin() -> None:
        sent = request.headers.get(HEADER, "")
        g.request_id = sent if _USABLE.fullmatch(sent) else uuid.uuid4().hex
        g.began = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        response.headers[HEADER] = g.request_id
        ms = round(1000 * (time.perf_counter() - g.began), 3)
        level = logging.DEBUG if request.path in _QUIET else logging.INFO
        line = "%s %s %s in %s ms"
        fields = {
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "ms": ms,
            **g.get("log_fields", {}),
        }
        log.log(level, line, *list(fields.values())[:4], extra=fields)
        return response
