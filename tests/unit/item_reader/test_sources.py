"""The reader's ItemSelectors: any thread of the pool may build, each with expressions of its own."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, cast

import msgspec

from schemas.arns import Names
from schemas.asks import ItemsRequested
from schemas.lanes import Cause
from schemas.plan import ItemBatcherPlan, MapRunPlan
from services.item_reader.sources import Sources

THREADS = 4
DEFINITION = {
    "QueryLanguage": "JSONata",
    "StartAt": "M",
    "States": {
        "M": {
            "Type": "Map",
            "End": True,
            "ItemSelector": {"double": "{% $states.context.Map.Item.Value * 2 %}"},
            "ItemBatcher": {"MaxItemsPerBatch": 2},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "P",
                "States": {"P": {"Type": "Pass", "End": True}},
            },
        },
    },
}


def test_a_jsonata_selector_builds_in_every_thread() -> None:
    """One ask's builder gives the same input in whichever thread of the pool a part is read."""
    plan = MapRunPlan("M", "L", "STANDARD", has_selector=True, batcher=ItemBatcherPlan(2))
    definition = msgspec.json.encode(DEFINITION)
    ask = ItemsRequested(Cause(0, 0, 0), "run", 0, plan, definition, (0, 1, 0), 0, 0, b"", b"")
    build = Sources(cast("Any", None), Names()).builder(ask)
    together = Barrier(THREADS)

    def one(index: int) -> bytes:
        together.wait()
        return build(index, None, b"21", "STATE_DATA")

    with ThreadPoolExecutor(THREADS) as pool:
        built = list(pool.map(one, range(THREADS)))
    assert built == [b'{"double":42}'] * THREADS
