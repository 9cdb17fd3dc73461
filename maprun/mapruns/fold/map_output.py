"""The result of a Map state: an array of outputs in item order, or where the files are."""

import msgspec

from maprun.mapruns.fold.state import Interpreter
from maprun.mapruns.ledger import Piece, indexed
from maprun.mapruns.results.shaping import Shaper, flat, shape_of
from maprun.mapruns.run import Run
from schemas.arns import Names
from schemas.home import PAGE_SLOTS, SUCCEEDED, ChildrenEnded
from schemas.pages import Pages
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


def keep_outputs(
    run: Run, frame: ChildrenEnded, pieces: list[Piece], interpreter: Interpreter, names: Names, bytes_max: int
) -> None:
    """Keeps what the result array will hold of these entries, until the array could not be returned any more.

    That is their outputs; with the Transformation NONE their records, as result files have them
    (page input-output-resultwriter, "Transformations").
    """
    if run.plan.writer is not None and run.plan.writer.transformation == "NONE":
        _keep_records(run, frame, pieces, names, bytes_max)
        return
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


def _keep_records(run: Run, frame: ChildrenEnded, pieces: list[Piece], names: Names, bytes_max: int) -> None:
    slots = list(indexed(frame, pieces))
    succeeded = [
        index + at for slot, index, count in slots for at in range(count) if frame.statuses[slot + at] == SUCCEEDED
    ]
    records, _, _ = Shaper(shape_of(run), names, Pages()).shape(frame, slots)
    for index, record in zip(succeeded, records, strict=True):
        if not _keep(run, index, record, bytes_max):
            return


def _keep(run: Run, index: int, output: bytes, bytes_max: int) -> bool:
    if _flattens(run.plan.writer):
        output = flat(output)
        run.outputs_bytes -= not output  # an empty array leaves no comma either
    run.outputs[index] = output
    run.outputs_bytes += len(output) + 1
    if run.outputs_bytes - 1 > bytes_max:
        run.outputs, run.outputs_kept = {}, False
    return run.outputs_kept
