"""What a Task's Resource may name: a file a service, each saying what there is of it and how it is told.

Pure. Validation, compiling, running and docs/parity.md read it; `maprun.aws` makes the calls. A service to come gets a
file here and, where boto3 is not enough, a caller in `maprun.aws`.
"""

from maprun.integrations.registry import declared, exists

__all__ = ["declared", "exists"]
