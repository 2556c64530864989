"""Servers of others, each the smallest that its documentation asks for: one process that runs the model, one thread.

`python -m benchmarks.serving.peers.NAME MODEL.onnx PORT BATCH`, in an environment of its own. With a BATCH above 1 its
own dynamic batching is on, with the least wait that can be set, at most a millisecond. Each takes what it was made for:
the Open Inference Protocol, or JSON of its own.
"""
