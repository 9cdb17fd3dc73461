"""A Lambda-compatible Invoke endpoint that runs the functions of a folder, each in processes of its own.

`catalog` says which files are which function. Python handlers run many calls at once in one process, in threads: they
must bear what Lambda's never meet, other calls beside them (`Threads: 1` in `function.json` spares them that). Programs
of other languages speak Lambda's Runtime API, one call at a time in each process.

The caller's idempotency key (header `X-Maprun-Idempotency-Key`, or `custom` of the client context as on real AWS) is
`context.client_context.custom["maprunIdempotencyKey"]`: equal for every repeat of one attempt of one Task.
"""
