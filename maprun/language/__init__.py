"""What a definition means before it runs: paths, intrinsics, validation. Pure."""
