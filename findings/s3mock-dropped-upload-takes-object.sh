#!/usr/bin/env bash
# Adobe's S3Mock takes an object away when a multipart upload to its key is dropped: AbortMultipartUpload of an upload that was
# never completed leaves HeadObject of an older object, written before by PutObject, with 404. On S3 an upload that is dropped
# leaves no trace. Who cleans up uploads that were left over, as lifecycle rules do, loses the objects there.
#
# Seen with com.adobe.testing:s3mock 5.2.0 (Java 17): the object is there before the upload is dropped, and gone after. Exits
# with 1 if that changes. Needs java, mvn and python3.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
mvn -q -B dependency:copy -Dartifact=com.adobe.testing:s3mock:5.2.0:jar:exec "-DoutputDirectory=$folder/jar"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check boto3==1.44.5
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
java -jar "$folder"/jar/*.jar --server.address=127.0.0.1 --server.port=0 "--com.adobe.testing.s3mock.httpPort=$port" \
    "--com.adobe.testing.s3mock.store.root=$folder/data" >"$folder/log" 2>&1 &
server=$!
PORT=$port "$folder/venv/bin/python" - <<'PY'
import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

s3 = boto3.client(
    "s3",
    endpoint_url=f"http://127.0.0.1:{os.environ['PORT']}",
    region_name="us-east-1",
    aws_access_key_id="a",
    aws_secret_access_key="b",
    config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
)
for _ in range(300):
    try:
        s3.list_buckets()
        break
    except Exception:
        time.sleep(0.2)


def found() -> str:
    try:
        return f"{s3.head_object(Bucket='bucket', Key='key')['ContentLength']} bytes"
    except ClientError as error:
        return str(error.response["ResponseMetadata"]["HTTPStatusCode"])


s3.create_bucket(Bucket="bucket")
s3.put_object(Bucket="bucket", Key="key", Body=b"first")
upload = s3.create_multipart_upload(Bucket="bucket", Key="key")["UploadId"]
s3.upload_part(Bucket="bucket", Key="key", UploadId=upload, PartNumber=1, Body=b"x" * (5 << 20))
before = found()
s3.abort_multipart_upload(Bucket="bucket", Key="key", UploadId=upload)
after = found()
print(f"before the upload was dropped: {before}; after: {after}")
sys.exit(0 if (before, after) == ("5 bytes", "404") else 1)
PY
