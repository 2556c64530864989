"""The data plane, free of any transport: the engine, its batches, its model pairs, and how they are run."""
