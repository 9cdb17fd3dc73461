"""A Lambda-compatible Invoke endpoint that runs Python handlers from a folder in worker processes.

A file `echo.py` with `handler(event, context)` (or `lambda_handler`) is the function `echo`. It is read again when it
changes. One worker process runs many calls in threads, so handlers must bear what Lambda's never meet: other calls
beside them in the process. A handler's print goes to the host's log.

The caller's idempotency key (header `X-Maprun-Idempotency-Key`, or `custom` of the client context as on real AWS) is
`context.client_context.custom["maprunIdempotencyKey"]`: equal for every repeat of one attempt of one Task.
"""
