"""Reads one source to its end as the item-reader does: `python -m tests.bench.source_reader ENDPOINT PLAN`.

PLAN is an ItemReaderPlan in JSON. Prints one line of JSON: items, bytes of them, seconds, CPU seconds, resident memory
before and at its peak in bytes, samples of it over time, and the cause when the source can't be read.
"""

import json
import os
import sys
import threading
import time
from typing import Any

import msgspec

from maprun.aws.errors import SourceError
from maprun.aws.sources import open_source, source_text
from schemas.plan import ItemReaderPlan
from services.item_reader.stream import Checkpoint, ItemStream
from tests.bench import processes
from tests.integration.aws.conftest import s3_at

POSITIONS = 500  # asked for at once, of about half a megabyte, as the item-reader does
FRAME_BYTES = 512 << 10
SAMPLE_SECONDS = 0.25


def read(endpoint: str, plan: ItemReaderPlan) -> dict[str, Any]:
    """Reads it, and tells what that cost."""
    s3 = s3_at(endpoint)
    me = {"me": os.getpid()}
    samples: list[tuple[float, int]] = []
    began, cpu = time.monotonic(), time.process_time()
    over = threading.Event()

    def sampling() -> None:
        while not over.wait(SAMPLE_SECONDS):
            samples.append((round(time.monotonic() - began, 2), processes.rss_bytes(me)["me"]))

    thread = threading.Thread(target=sampling)
    found: dict[str, Any] = {"before": processes.rss_bytes(me)["me"], "items": 0, "bytes": 0, "error": "", "cause": ""}
    thread.start()
    try:
        source = open_source(s3, plan, b"", b"")
        stream = ItemStream(source, source_text(plan), Checkpoint(), 0, None, None)
        while not stream.ended:
            positions = stream.read(POSITIONS, FRAME_BYTES)
            found["items"] += positions.items
            found["bytes"] += sum(map(len, positions.payloads))
    except SourceError as error:
        found["error"], found["cause"] = error.error, error.cause
    finally:
        over.set()
        thread.join()
    found |= {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu, "samples": samples}
    return found | {"peak": processes.peak_rss_bytes(me)["me"]}


if __name__ == "__main__":
    print(json.dumps(read(sys.argv[1], msgspec.json.decode(sys.argv[2], type=ItemReaderPlan))))
