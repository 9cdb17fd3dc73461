"""The whole stack on one machine: Kafka, S3, the function host and the four services as child processes."""
