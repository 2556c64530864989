"""Other inference servers, each set up as its documentation shows: one process that runs the model, on one thread.

`python -m benchmarks.serving.peers.NAME MODEL.onnx PORT BATCH NAME`, each in an environment of its own. A BATCH above 1
turns on its dynamic batching, with the shortest wait that it supports, at most a millisecond. Each speaks its native
protocol: the Open Inference Protocol, or JSON of its own.
"""
