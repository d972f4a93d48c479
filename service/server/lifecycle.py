"""Signals from the server to the application."""

import threading

# Set on SIGTERM, while the process still answers.
stopping = threading.Event()

# In the environ of a request. TO_COME: the body is not there yet; the application answers if the
# answer does not depend on it, or says `100 Continue`. ASKED_FOR: the body of such a request.
BODY = "image_search.body"
TO_COME = "to come"
ASKED_FOR = "asked for"

# Requests with other methods have no body.
WITH_BODY = ("POST", "PUT", "PATCH")
