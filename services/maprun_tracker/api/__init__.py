"""The AWS JSON 1.0 API of the tracker: reads from the partitions' folds, writes by commands on home."""
