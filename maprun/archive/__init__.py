"""What has ended, on disk: a log of rows that is kept for a time, and a keyed store that is filled from it."""
