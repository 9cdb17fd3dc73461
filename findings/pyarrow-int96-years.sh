#!/usr/bin/env bash
# pyarrow reads INT96 timestamps of Parquet as nanoseconds in 64 bits, and years outside of 1678 to 2262 silently become
# others, with no error and no null: 1600-01-01 comes back as 2184-07-20, 9999-01-01 as 1815-03-31. Spark, Hive and
# Athena's UNLOAD write such columns; 9999-12-31 ("for ever") is common in them. What helps is the reader's option
# coerce_int96_timestamp_unit="ms" (or "us").
#
# Seen with pyarrow 26.0.1: 2184 1815 as it is, 1600 9999 with the option. Exits with 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PY'
import datetime as dt
import io
import sys

import pyarrow as pa
import pyarrow.parquet as pq

moments = [dt.datetime(1600, 1, 1), dt.datetime(9999, 1, 1)]
file = io.BytesIO()
table = pa.table({"at": pa.array(moments, pa.timestamp("us"))})
pq.write_table(table, file, use_deprecated_int96_timestamps=True)


def years(**options):
    file.seek(0)
    column = pq.ParquetFile(file, **options).read()["at"]
    return [int(text[:4]) for text in column.cast(pa.string()).to_pylist()]


plain, coerced = years(), years(coerce_int96_timestamp_unit="ms")
print(f"pyarrow {pa.__version__}: {plain} as it is, {coerced} with coerce_int96_timestamp_unit")
sys.exit(0 if (plain, coerced) == ([2184, 1815], [1600, 9999]) else 1)
PY
