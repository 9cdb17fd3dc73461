"""One batch of an ItemBatcher: which items go into it, and the input that its child gets."""

from collections.abc import Callable

from schemas.plan import ItemBatcherPlan

INPUT_BYTES_MAX = 262_144
"""A batch's input is never larger, whatever MaxInputBytesPerBatch says (AWS quota)."""


ITEMS_MAX = 1 << 62
"""Of a batch that its bytes alone close."""


def fill_batch(
    batcher: ItemBatcherPlan, next_item: Callable[[], bytes | None], take: Callable[[], None]
) -> tuple[bytes, int]:
    """The input of the next batch and its number of items, at least one.

    `next_item` gives the item that would come next, None after the last one; `take` says that the batch has it.
    """
    bytes_max = min(batcher.input_bytes_per_batch_max or INPUT_BYTES_MAX, INPUT_BYTES_MAX)
    head = b'{"BatchInput":' + batcher.batch_input + b',"Items":[' if batcher.batch_input else b'{"Items":['
    size = len(head) + 1  # with the end, less the comma that the first item doesn't have before it
    items_max = batcher.items_per_batch_max or ITEMS_MAX
    batch: list[bytes] = []
    while len(batch) < items_max:
        item = next_item()
        if item is None:
            break
        size += len(item) + 1
        if batch and size > bytes_max:
            break
        batch.append(item)
        take()
    return head + b",".join(batch) + b"]}", len(batch)
