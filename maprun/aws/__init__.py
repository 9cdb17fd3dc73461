"""Object streams in, result files out, task integrations: the only room that knows boto3."""
