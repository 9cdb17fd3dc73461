"""A Map Run's plan: what the Map state resolved to when the parent execution reached it.

All paths and expressions are already evaluated, except the ItemSelector, which is evaluated once an item. Sources:
the pages input-output-itemreader, input-output-itembatcher and input-output-resultwriter of the AWS guide.
"""

from collections.abc import Callable
from typing import Literal

from schemas.wire import Part

ChildType = Literal["STANDARD", "EXPRESS"]
BuildInput = Callable[[int, str | None, bytes, str], bytes]
"""Makes a child's input: (item index, item key or None, item JSON, source) → JSON. Raises StatesError."""


class ItemReaderPlan(Part, frozen=True):
    """ItemReader with its parameters resolved. Absent text members are empty strings."""

    resource: str  # as the definition writes it: an ARN that ends in "s3:getObject" or "s3:listObjectsV2"
    bucket: str
    key: str = ""
    prefix: str = ""
    version_id: str = ""
    expected_bucket_owner: str = ""
    input_type: str = ""  # CSV | JSON | JSONL | PARQUET | MANIFEST
    transformation: str = "NONE"  # NONE | LOAD_AND_FLATTEN
    manifest_type: str = ""  # ATHENA_DATA | S3_INVENTORY
    csv_header_location: str = ""  # FIRST_ROW | GIVEN
    csv_headers: tuple[str, ...] = ()
    csv_delimiter: str = "COMMA"  # COMMA | PIPE | SEMICOLON | SPACE | TAB
    max_items: int = 0  # 0 = no limit
    items_pointer: str = ""


class ItemBatcherPlan(Part, frozen=True):
    """ItemBatcher with its paths resolved; a limit of 0 is not given."""

    items_per_batch_max: int = 0
    input_bytes_per_batch_max: int = 0
    batch_input: bytes = b""  # JSON; empty when BatchInput is not configured


class ResultWriterPlan(Part, frozen=True):
    """ResultWriter with its parameters resolved. Without `bucket` it only transforms the state's output."""

    bucket: str = ""
    prefix: str = ""
    transformation: str = ""  # NONE | COMPACT | FLATTEN; empty = the default of the case
    output_type: str = ""  # JSON | JSONL; empty = JSON


class MapRunPlan(Part, frozen=True):
    """Everything needed to run one Map Run, apart from the definition it belongs to.

    `state` names the Map state (names are unique over a whole definition). JSON texts are compact UTF-8 bytes.
    """

    state: str
    label: str  # "" when the definition gives none: the host derives one
    child_type: ChildType
    max_concurrency: int = 0  # as written: 0 = the default limit
    tolerated_failure_count: int | None = None
    tolerated_failure_percentage: float | None = None
    reader: ItemReaderPlan | None = None
    items: bytes = b""  # JSON array or object, when the items come from the state's input
    has_selector: bool = False
    selector_input: bytes = b"{}"  # the Map state's effective input: `$` inside ItemSelector
    context: bytes = b"{}"  # the parent's context object at the Map state: `$$` inside ItemSelector, without Map
    variables: bytes = b"{}"  # the variables ItemSelector may read
    batcher: ItemBatcherPlan | None = None
    writer: ResultWriterPlan | None = None
