"""The tutorial's ratings.csv: made anew each time, always the same, and read back as the rows to compare with."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

DEFINITION = Path(__file__).parent / "static" / "state-machine.json"
HEADER = ("userId", "movieId", "rating", "timestamp")
BUCKET = "maprun-tutorial"
KEY = "csvDataset/ratings.csv"


def row(number: int) -> tuple[str, str, str, str]:
    """One rating, in the ranges of MovieLens: users of a hundred ratings each, half stars, seconds since 1996."""
    mixed = (number * 2_654_435_761) & 0xFFFFFFFF  # Knuth's multiplicative hash: spread out, and no chance in it
    rating = (mixed % 10 + 1) / 2
    return str(number // 100 + 1), str(mixed % 27_278 + 1), f"{rating:.1f}", str(825_724_800 + mixed % 600_000_000)


def ratings_csv(rows: int) -> bytes:
    """The file of that many rows, with its header: about 27 bytes a row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(row(number) for number in range(rows))
    return text.getvalue().encode()


def rows_of(file: bytes) -> Iterator[dict[str, str]]:
    """The rows of such a file, each as Distributed Map presents it: a flat object of strings."""
    return csv.DictReader(io.StringIO(file.decode(), newline=""))
