"""Apache Kafka: the bus, its topics, and the judges' store in a compacted topic."""
