"""The gunicorn worker: it reads requests and sends answers without a thread for each.

`front` waits for clients, `incoming` and `outgoing` keep what they send and what they are sent,
`worker` gives a complete request a thread. Nothing else in the project knows gunicorn.
"""
