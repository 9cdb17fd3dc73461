"""One batch of an ItemBatcher: which items go into it, and the input that its child gets."""

from collections.abc import Callable

from schemas.plan import ItemBatcherPlan

INPUT_BYTES_MAX = 262_144
"""A batch's input is never larger, whatever MaxInputBytesPerBatch says (AWS quota)."""


def fill_batch(
    batcher: ItemBatcherPlan, next_item: Callable[[], bytes | None], take: Callable[[], None]
) -> tuple[bytes, int]:
    """The input of the next batch and its number of items, at least one.

    `next_item` gives the item that would come next, None after the last one; `take` says that the batch has it.
    """
    bytes_max = min(batcher.input_bytes_per_batch_max or INPUT_BYTES_MAX, INPUT_BYTES_MAX)
    head = b'{"BatchInput":' + batcher.batch_input + b',"Items":[' if batcher.batch_input else b'{"Items":['
    size = len(head) + 2
    batch: list[bytes] = []
    while len(batch) < (batcher.items_per_batch_max or len(batch) + 1):
        item = next_item()
        if item is None or (batch and size + len(item) + 1 > bytes_max):
            break
        batch.append(item)
        size += len(item) + (len(batch) > 1)
        take()
    return head + b",".join(batch) + b"]}", len(batch)
