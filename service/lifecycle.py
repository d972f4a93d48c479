"""What the server tells the application of its own life."""

import threading

# Set when this process was told to stop and still answers.
stopping = threading.Event()
