"""Lambda's error bodies, to the letter: of a handler that raised, exited, hung or answered no JSON."""

import json
import os
import traceback
from collections.abc import Iterable
from pathlib import Path

RESPONSE_BYTES_MAX = 6 * 1024 * 1024 + 100  # Lambda's limit on a synchronous answer
REQUEST_BYTES_MAX = 6 * 1024 * 1024
TASK_ROOT = "/var/task"
LAYERS_ROOT = "/opt"
"""Where Lambda has a function's code and its layers: stack traces name these places."""


def error_body(error_type: str, message: str, request_id: str, stack: Iterable[str] = ()) -> bytes:
    """The body under `X-Amz-Function-Error: Unhandled`."""
    shown = {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": list(stack)}
    return json.dumps(shown).encode()


def raised(error: BaseException, request_id: str) -> bytes:
    """A handler's exception: its class, its text, its stack from the handler on, with Lambda's paths."""
    here = str(Path(__file__).parent)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(here)]
    for frame in frames:
        _ = frame.line  # read from the file under its true name
        frame.filename = _place_on_lambda(frame.filename)
    return error_body(type(error).__name__, str(error), request_id, traceback.format_list(frames))


def _place_on_lambda(file: str) -> str:
    root = os.environ.get("LAMBDA_TASK_ROOT", "")
    if root and file.startswith(f"{root}/"):
        return f"{TASK_ROOT}{file[len(root) :]}"
    for layer in os.environ.get("MAPRUN_LAYERS", "").split(os.pathsep):
        if layer and file.startswith(f"{layer}/"):
            return f"{LAYERS_ROOT}{file[len(layer) :]}"
    return file


def exited(request_id: str, status: str) -> bytes:
    """A handler that ended its process; `status` like `exit status 3` or `signal: killed`."""
    message = f"RequestId: {request_id} Error: Runtime exited with error: {status}"
    return json.dumps({"errorType": "Runtime.ExitError", "errorMessage": message}).encode()


def timed_out(request_id: str, seconds: float) -> bytes:
    """A handler that took longer than its function may."""
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": message}).encode()


def no_entrypoint(request_id: str, reason: str) -> bytes:
    """A runtime that can't be started."""
    message = f"RequestId: {request_id} Error: {reason}"
    return json.dumps({"errorType": "Runtime.InvalidEntrypoint", "errorMessage": message}).encode()


def not_marshalled(error: Exception, request_id: str) -> bytes:
    """A handler whose answer is no JSON value."""
    return error_body("Runtime.MarshalError", f"Unable to marshal response: {error}", request_id)


def too_large(size: int) -> bytes:
    """A handler whose answer is longer than Lambda lets through."""
    message = f"Response payload size exceeded maximum allowed payload size ({REQUEST_BYTES_MAX} bytes): {size} bytes."
    return json.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}).encode()
