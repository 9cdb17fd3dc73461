"""A look at the configured S3: whether it can be reached, with which rights, and what of S3 it does.

Probe objects are written under one prefix and deleted again. Where a server does less than AWS, the finding says what
maprun does then (docs/s3-servers.md).
"""

import contextlib
import email.utils
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from maprun.aws.answers import BadAnswerError, bare_etag
from maprun.aws.clients import S3
from maprun.aws.errors import AwsRoomError, code_of, status_of
from maprun.aws.results import ResultWriter, WrittenPart
from maprun.aws.sources.object_reads import ObjectName, ObjectReads
from maprun.runtime.checkup import Finding, Findings

PREFIX = "maprun-doctor/"
SEE = "docs/s3-servers.md lists servers that were tried"
SKEW_SECONDS_MAX = 300.0  # AWS refuses a signature that is older
SKEW_SECONDS_NOTED = 30.0
_WRONG_KEYS = frozenset(
    {
        "AccessKeyDisabled",
        "AuthFailure",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_FIRST, _OTHER = b"maprun doctor looks here", b"and must not find this!!"
_OK_BELOW = 300
_FORBIDDEN, _NOT_FOUND, _CONFLICT, _FAILED_CONDITION, _NOT_IMPLEMENTED = 403, 404, 409, 412, 501


class OutOfTimeError(Exception):
    """The look has no time left."""


def look_at_s3(
    s3: S3, bucket: str, token: str, wall_seconds: Callable[[], float], seconds_left: Callable[[], float]
) -> list[Finding]:
    """What is found of an S3. Blocking. Without a `bucket` one is made for the look, and deleted, unless S3 is AWS's.

    `token` tells this look's objects from those of any other.
    """
    found = Findings("s3")
    looking = _Look(s3, bucket, token, wall_seconds, seconds_left, found)
    try:
        looking.all()
    except OutOfTimeError:
        found.skipped("the rest", "S3 is too slow: the look took too long", "look at the network between here and it")
    except (AwsRoomError, BotoCoreError, ClientError, OSError) as error:
        found.wrong(looking.at, f"S3 at {s3.endpoint}: {error}", SEE)
    return found.found


class _Look:
    """One look. `at` names what is looked at just now."""

    def __init__(
        self,
        s3: S3,
        bucket: str,
        token: str,
        wall_seconds: Callable[[], float],
        seconds_left: Callable[[], float],
        found: Findings,
    ) -> None:
        self._s3 = s3
        self._client = s3.client
        self._bucket = bucket
        self._token = token
        self._wall_seconds = wall_seconds
        self._seconds_left = seconds_left
        self._found = found
        self._folder = f"{PREFIX}{token}/"
        self._written: set[str] = set()
        self.at = "answers"

    def all(self) -> None:
        """Looks at everything, each thing as far as those before it allow."""
        answer = self._reached()
        if answer is None:
            return
        self._clock(answer)
        with self._own_bucket() as usable:
            if not usable:
                return
            try:
                if self._first_write():
                    for look in (
                        self._conditional,
                        self._upload,
                        self._reads,
                        self._listing,
                        self._versions,
                        self._checksums,
                    ):
                        look()
            finally:
                self._clean_up()

    # ------------------------------------------------------------------ whether anybody answers

    def _reached(self) -> Mapping[str, Any] | None:
        """The first answer; None when none is of use."""
        s3, bucket = self._s3, self._bucket
        try:
            if bucket:
                answer = self._call("answers", "list_objects_v2", MaxKeys=1)
            else:
                answer = self._call("answers", "list_buckets", bucket=False)
        except (NoCredentialsError, PartialCredentialsError) as error:
            self._found.wrong(
                "keys", f"there are no AWS keys here: {error}", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        except BadAnswerError as error:
            self._found.wrong("answers", error.cause, "AWS_ENDPOINT_URL_S3 must name an S3")
        except ClientError as error:
            return self._refused(error)
        except (BotoCoreError, OSError) as error:
            self._found.wrong(
                "answers",
                f"S3 at {s3.endpoint} does not answer: {error}",
                "AWS_ENDPOINT_URL_S3 names the server; `maprun up` starts one here",
            )
        else:
            self._found.ok("answers", f"S3 at {s3.endpoint} takes these keys")
            metadata: Mapping[str, Any] = answer["ResponseMetadata"]
            return metadata
        return None

    def _refused(self, error: ClientError) -> Mapping[str, Any] | None:
        code, said = code_of(error), f"S3 at {self._s3.endpoint} says {_words(error)}"
        metadata: Mapping[str, Any] = error.response["ResponseMetadata"]
        if code == "RequestTimeTooSkewed":
            if not self._clock(metadata):
                self._found.wrong(
                    "clock", f"{said}: this machine's clock and its own are apart", "set the clocks (NTP)"
                )
        elif code in _WRONG_KEYS:
            self._found.wrong(
                "keys", said, "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN must be this S3's"
            )
        elif code == "NoSuchBucket":
            self._found.wrong(
                "bucket", f"{said}: there is no bucket {self._bucket}", "make it, or name another: --bucket"
            )
        elif status_of(error) == _FORBIDDEN and self._bucket:
            cure = "s3:ListBucket on the bucket; s3:GetObject, s3:PutObject and s3:AbortMultipartUpload on its objects"
            self._found.wrong("rights", f"{said} to ListObjectsV2 of the bucket {self._bucket}", cure)
        elif status_of(error) == _FORBIDDEN:
            self._found.ok("answers", f"{said} to ListBuckets: it knows these keys")
            return metadata
        else:
            self._found.wrong("answers", said, SEE)
        return None

    def _clock(self, metadata: Mapping[str, Any]) -> bool:
        """Compares the clocks; False when nothing was found wrong."""
        date = metadata.get("HTTPHeaders", {}).get("date", "")
        try:
            theirs = email.utils.parsedate_to_datetime(date).timestamp()
        except ValueError:
            self._found.skipped("clock", "S3 says no Date")
            return False
        apart = self._wall_seconds() - theirs
        said = f"this machine's clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} that of S3"
        if abs(apart) > SKEW_SECONDS_MAX:
            self._found.wrong("clock", f"{said}: signatures older than 5 minutes are refused", "set the clocks (NTP)")
            return True
        if abs(apart) > SKEW_SECONDS_NOTED:
            self._found.note("clock", said, "set the clocks (NTP)")
        else:
            self._found.ok("clock", f"within {SKEW_SECONDS_NOTED:.0f} s of S3's")
        return False

    # ------------------------------------------------------------------ writing

    @contextlib.contextmanager
    def _own_bucket(self) -> Iterator[bool]:
        """A bucket for the look; False where there is none."""
        if self._bucket:
            yield True
            return
        give = "name a bucket that may be written to: --bucket"
        if self._s3.endpoint.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            self._found.skipped("writes", "no bucket is made on AWS for a look", give)
            yield False
            return
        self._bucket = f"maprun-doctor-{self._token}"
        try:
            self._call("bucket", "create_bucket")
        except ClientError as error:
            self._found.skipped("writes", f"no bucket for the look may be made: {_words(error)}", give)
            yield False
            return
        try:
            yield True
        finally:
            with contextlib.suppress(ClientError, BotoCoreError):  # what is looked at may be failing just now
                self._client.delete_bucket(Bucket=self._bucket)

    def _first_write(self) -> bool:
        try:
            answer = self._put("object", _FIRST)
        except ClientError as error:
            cure = f"s3:PutObject on arn:aws:s3:::{self._bucket}/*, at least under the prefix of results"
            self._found.wrong("rights", f"PutObject in the bucket {self._bucket} is refused: {_words(error)}", cure)
            return False
        self._found.ok("rights", f"objects may be written in {self._bucket}")
        if not answer.get("ETag"):
            self._found.note("ETags", "PutObject tells no ETag: results are read again and compared")
        return True

    def _conditional(self) -> None:
        """PutObject with If-None-Match of a key that is there."""
        said = {
            _FAILED_CONDITION: "",
            _CONFLICT: "",
            _NOT_IMPLEMENTED: "this S3 has no If-None-Match",
            0: "this S3 ignores If-None-Match, and overwrote what was there",
        }
        status = self._status("conditional writes", lambda: self._put("object", _OTHER, IfNoneMatch="*"))
        if status not in said:
            self._found.note("conditional writes", f"If-None-Match: * of a key that is there is answered {status}", SEE)
        elif said[status]:
            follows = "results look at what is there before each write; only what comes in that moment is lost"
            self._found.note("conditional writes", f"{said[status]}: {follows}", SEE)
        else:
            self._found.ok("conditional writes", "If-None-Match keeps what is there")
        self._put("object", _FIRST)

    def _upload(self) -> None:
        """A result file as the scheduler writes it, then written once more."""
        self.at, key = "multipart uploads", f"{self._folder}upload"
        writer = ResultWriter(self._s3)
        self._written.add(key)
        upload = writer.create_upload(self._bucket, key)
        etag = writer.upload_part(self._bucket, key, upload, 1, _FIRST)
        proven = writer.complete(self._bucket, key, upload, [WrittenPart(1, etag)], len(_FIRST))
        again = writer.create_upload(self._bucket, key)
        try:
            etag = writer.upload_part(self._bucket, key, again, 1, _FIRST)
            proven = writer.complete(self._bucket, key, again, [WrittenPart(1, etag)], len(_FIRST)) and proven
        finally:
            writer.abort(self._bucket, key, again)
        if writer.size_of(self._bucket, key) is None:
            said = "dropping an upload takes away the object at its key, which is another one's"
            self._found.wrong("multipart uploads", f"{said}: results may be lost", SEE)
            self._put("upload", _FIRST)  # the next looks are at other things
            return
        if proven:
            self._found.ok("multipart uploads", "a file that is there is known again by its ETag")
        else:
            writer.compare(self._bucket, key, 0, _FIRST)
            said = "ETags of uploads are not made of MD5s (KMS, or the server's own way)"
            self._found.note("multipart uploads", f"{said}: a file that is there is read and compared")

    # ------------------------------------------------------------------ reading

    def _reads(self) -> None:
        """An object as the item-reader reads it: pinned by its ETag, from its middle, from its end."""
        self.at, key = "reads", f"{self._folder}object"
        reads = ObjectReads(self._s3, ObjectName(self._bucket, key), None, "-3")
        if reads.opened_bytes != _FIRST[-3:] or reads.read(2, 5) != _FIRST[2:5]:
            self._found.wrong("ranges", "a range of bytes brought others than those asked for", SEE)
        else:
            self._found.ok("ranges", "objects are read from their middle and from their end")
        old = '"00000000000000000000000000000000"'
        status = self._status("If-Match", lambda: self._get(key, IfMatch=old))
        if status == _FAILED_CONDITION:
            self._found.ok("ETags", f"{bare_etag(reads.pin.etag)}: a version that is read is pinned by its ETag")
        else:
            said = "this S3 ignores If-Match" if status == 0 else f"If-Match of another ETag is answered {status}"
            self._found.note("ETags", f"{said}: the ETag of each answer is compared, a change is noticed all the same")

    def _listing(self) -> None:
        listed = self._call("listings", "list_objects_v2", Prefix=self._folder, StartAfter=f"{self._folder}object")
        entries = listed.get("Contents", [])
        keys = [entry["Key"].removeprefix(self._folder) for entry in entries]
        if keys != ["upload"]:
            said = f"ListObjectsV2 with StartAfter 'object' lists {keys}, where 'object' and 'upload' are"
            self._found.wrong("listings", said, SEE)
        elif not entries[0].get("ETag"):
            said = "listings tell no ETags: objects of LOAD_AND_FLATTEN must be as large and as old as listed"
            self._found.note("listings", said)
        else:
            self._found.ok("listings", "they go on after a key, and tell ETags")

    def _versions(self) -> None:
        """Whether a reader's VersionId would be heeded, where the bucket has versions."""
        try:
            state = self._call("versions", "get_bucket_versioning").get("Status", "")
        except ClientError as error:
            self._found.skipped("versions", f"GetBucketVersioning is refused: {_words(error)}")
            return
        if state != "Enabled":
            self._found.ok("versions", f"the bucket {self._bucket} keeps none, so no ItemReader can name a VersionId")
            return
        key = f"{self._folder}version"
        first, _ = self._put("version", _FIRST), self._put("version", _OTHER)
        status, body = 0, b""
        try:
            body = self._get(key, VersionId=first.get("VersionId", ""))["Body"].read()
        except ClientError as error:
            status = status_of(error)
        if body == _FIRST:
            self._found.ok("versions", "a VersionId is heeded")
        else:
            said = f"answered {status}" if status else "ignored: the newest version came"
            self._found.wrong("versions", f"GetObject with a VersionId is {said}", "read objects without VersionId")

    def _checksums(self) -> None:
        """A body that is not what its Content-MD5 says."""
        wrong = "AAAAAAAAAAAAAAAAAAAAAA=="
        status = self._status("checksums", lambda: self._put("checksum", _FIRST, ContentMD5=wrong))
        if status == 0:
            self._found.note(
                "checksums", "this S3 ignores Content-MD5: it would store a body that was damaged on its way"
            )
        else:
            self._found.ok("checksums", "a body that is not what its Content-MD5 says is refused")

    # ------------------------------------------------------------------ calls

    def _call(self, at: str, operation: str, *, bucket: bool = True, **given: Any) -> Mapping[str, Any]:
        self.at = at
        if self._seconds_left() <= 0:
            raise OutOfTimeError
        if bucket:
            given["Bucket"] = self._bucket
        answer: Mapping[str, Any] = getattr(self._client, operation)(**given)
        return answer

    def _put(self, name: str, body: bytes, **given: Any) -> Mapping[str, Any]:
        key = f"{self._folder}{name}"
        self._written.add(key)
        return self._call(self.at, "put_object", Key=key, Body=body, **given)

    def _get(self, key: str, **given: Any) -> Mapping[str, Any]:
        return self._call(self.at, "get_object", Key=key, **given)

    def _status(self, at: str, call: Callable[[], object]) -> int:
        """The status with which S3 refuses a call; 0 when it doesn't."""
        self.at = at
        try:
            call()
        except ClientError as error:
            return status_of(error)
        return 0

    def _clean_up(self) -> None:
        left = []
        for key in sorted(self._written):
            try:
                self._client.delete_object(Bucket=self._bucket, Key=key)
            except (ClientError, BotoCoreError):
                left.append(key)
        if left:
            said = (
                f"{len(left)} probe objects stay under s3://{self._bucket}/{self._folder}: s3:DeleteObject is refused"
            )
            self._found.note("clean-up", said, "delete them; maprun itself deletes nothing")


def _words(error: ClientError) -> str:
    """A refusal in few words."""
    message = error.response.get("Error", {}).get("Message", "")
    return f"{status_of(error)} {code_of(error)}{f': {message}' if message else ''}"
