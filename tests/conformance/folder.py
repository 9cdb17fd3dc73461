"""Where the recorded executions lie: not in this repository, so that they can be anywhere."""

import os
import pathlib

FOLDER = pathlib.Path(
    os.environ.get(
        "MAPRUN_CONFORMANCE_DIR", pathlib.Path(__file__).resolve().parents[2] / ".." / "shared" / "conformance"
    )
)
