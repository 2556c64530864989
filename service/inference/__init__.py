"""The inference engine, free of any transport: model pairs, batches, and the batchers that run them."""
