"""What the tracker counts, for Prometheus."""

from prometheus_client import Counter, Histogram

RECORDS = Counter("maprun_tracker_records_folded", "Records of home folded.")
BYTES = Counter("maprun_tracker_folded_bytes", "Bytes of home folded.")
ROWS = Counter("maprun_tracker_rows_written", "Rows written to the table.")
ROW_BYTES = Counter("maprun_tracker_row_bytes", "Bytes of rows written to the table.")
REQUESTS = Counter("maprun_tracker_requests", "API requests by operation and answer.", ("operation", "answer"))
SECONDS = Histogram(
    "maprun_tracker_request_seconds",
    "Time from a request to its answer.",
    ("operation",),
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0),
)
