"""The result of a Map state: an array of outputs in item order, or where the files are."""

import msgspec

from maprun.mapruns.ledger import Piece, indexed
from maprun.mapruns.run import Run
from maprun.mapruns.state import Interpreter
from schemas.home import PAGE_SLOTS, SUCCEEDED, ChildrenEnded
from schemas.plan import ResultWriterPlan


def written_output(map_run_arn: str, bucket: str, manifest_key: str) -> bytes:
    """The Map state's result when a writer put the results into S3."""
    details = {"Bucket": bucket, "Key": manifest_key}
    return msgspec.json.encode({"MapRunArn": map_run_arn, "ResultWriterDetails": details})


def inline_output(outputs: list[bytes], writer: ResultWriterPlan | None) -> bytes:
    """The array of outputs as they were kept; FLATTEN joined those that are arrays themselves."""
    if _flattens(writer):
        outputs = [output for output in outputs if output]
    return b"[" + b",".join(outputs) + b"]"


def _flattens(writer: ResultWriterPlan | None) -> bool:
    return writer is not None and writer.transformation == "FLATTEN"


def flat(output: bytes) -> bytes:
    """An output as members of an enclosing array: the members of an array, else the value itself."""
    text = output.strip()
    return text[1:-1].strip() if text[:1] == b"[" else text


def keep_outputs(run: Run, frame: ChildrenEnded, pieces: list[Piece], interpreter: Interpreter, bytes_max: int) -> None:
    """Keeps the outputs of these entries for the result array, until the array could not be returned any more."""
    for first, index, count in indexed(frame, pieces):
        slot, end = first, first + count
        while slot < end:
            page = slot // PAGE_SLOTS
            outputs = interpreter.child_outputs(frame.pages[page])
            for at in range(slot, min(end, (page + 1) * PAGE_SLOTS)):
                text = outputs[at % PAGE_SLOTS]
                if frame.statuses[at] == SUCCEEDED and not _keep(run, index + at - first, text, bytes_max):
                    return
            slot = (page + 1) * PAGE_SLOTS


def _keep(run: Run, index: int, output: bytes, bytes_max: int) -> bool:
    if _flattens(run.plan.writer):
        output = flat(output)
        run.outputs_bytes -= not output  # an empty array leaves no comma either
    run.outputs[index] = output
    run.outputs_bytes += len(output) + 1
    if run.outputs_bytes - 1 > bytes_max:
        run.outputs, run.outputs_kept = {}, False
    return run.outputs_kept
