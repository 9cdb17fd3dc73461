"""The Kafka shell: consume, decide, produce, commit behind finished work. The only room with aiokafka."""
