"""The permissions of processes on Kafka: the needed ones, and the refused ones."""
