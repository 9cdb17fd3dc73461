"""What can go wrong with AWS calls, as a small tree that carries its policy, and AWS's wording of causes."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)

HTTP_TOO_MANY_REQUESTS = 429
HTTP_SERVER_ERROR_FIRST = 500
HTTP_NOT_IMPLEMENTED = 501

NOT_IMPLEMENTED_HINT = "this server doesn't know a part of S3 that is asked of it (docs/s3-servers.md)"

# Codes that S3 (and what speaks its protocol) gives with a 4xx status for a call that works when it is made again.
TRANSIENT_CODES = frozenset(
    {
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    },
)


class AwsRoomError(Exception):
    """Base of what this room raises: an error name of the States language and a cause for the user.

    `retriable`: the same call may work later; the state of things outside is the reason, not the request.
    """

    retriable = False
    error = "States.Runtime"

    def __init__(self, cause: str) -> None:
        super().__init__(f"{self.error}: {cause}")
        self.cause = cause


class SourceError(AwsRoomError):
    """The items can't be read, and won't be readable by trying again."""

    error = "States.ItemReaderFailed"

    def located(self, where: str, place: str = "") -> "SourceError":
        """The same error, its cause with the object's address and the place in it, unless it names the object."""
        if not where or where in self.cause:
            return self
        located = type(self)(f"{self.cause} ({where}{place})")
        located.__cause__ = self
        return located


class SourceUnavailableError(SourceError):
    """The items can't be read now: S3 can't be reached or fails, after all retries."""

    retriable = True


class SourceRecordTooLargeError(SourceError):
    """One record exceeds what a record of a source may have (8 MB)."""

    error = "States.DataLimitExceeded"


class ResultWriterError(AwsRoomError):
    """The result files can't be written, and won't be writable by trying again."""

    error = "States.ResultWriterFailed"


class UploadGoneError(ResultWriterError):
    """The multipart upload is there no more: it was dropped, or completed and its object deleted since."""


class ResultWriterUnavailableError(ResultWriterError):
    """The result files can't be written now: S3 can't be reached or fails, after all retries."""

    retriable = True


class AnswerTooLargeError(AwsRoomError):
    """An answer of a service, or the body of one, is larger than a Task's result may be; it was not read to its end."""

    error = "States.DataLimitExceeded"


def status_of(error: ClientError) -> int:
    """The HTTP status of an answer that botocore raised."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: ClientError) -> str:
    """The service's error code, such as NoSuchKey."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_transient(error: Exception) -> bool:
    """True for what may pass when the call is made again: connections, broken answers, throttling, 5xx but 501."""
    if isinstance(error, ClientError):
        status = status_of(error)
        if status == HTTP_NOT_IMPLEMENTED:
            return False
        return (
            status >= HTTP_SERVER_ERROR_FIRST or status == HTTP_TOO_MANY_REQUESTS or code_of(error) in TRANSIENT_CODES
        )
    return isinstance(
        error,
        (
            ConnectTimeoutError,
            EndpointConnectionError,
            HTTPClientError,
            IncompleteReadError,
            ResponseStreamingError,
            ConnectionError,
            TimeoutError,
        ),
    )


def sdk_cause(service: str, error: ClientError) -> str:
    """AWS's wording for a refused SDK call, as recorded: `<message> (Service: S3, Status Code: 404, Request ID: …)`."""
    meta = error.response.get("ResponseMetadata", {})
    message = error.response.get("Error", {}).get("Message", "") or code_of(error)
    extended = f", Extended Request ID: {meta['HostId']}" if meta.get("HostId") else ""
    if service == "S3" and not extended:
        extended = ", Extended Request ID: null"
    request_id = meta.get("RequestId") or "null"
    hint = f"; {NOT_IMPLEMENTED_HINT}" if service == "S3" and status_of(error) == HTTP_NOT_IMPLEMENTED else ""
    return f"{message} (Service: {service}, Status Code: {status_of(error)}, Request ID: {request_id}{extended}){hint}"


def boto_cause(error: BotoCoreError | OSError) -> str:
    """AWS's wording for a call that never got an answer."""
    return f"Unable to execute HTTP request: {error}"
