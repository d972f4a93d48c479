"""The tests, which run side by side."""

import os

# FAISS's threads spin while they wait for each other, which starves the tests beside them. Read
# when FAISS is loaded, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
