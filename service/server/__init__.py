"""The gunicorn worker: reads requests and sends answers without a thread per client.

`front` waits for clients, `incoming` and `outgoing` buffer bodies and answers, and `worker` runs
complete requests in threads. Only this package imports gunicorn.
"""
