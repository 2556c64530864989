"""Types of ONNX that are no tensors of the protocol, shown to callers as tensors that are."""
