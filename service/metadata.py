"""What the server and its models are, in the protocol's metadata."""

VERSION = "0.1.0"
EXTENSIONS = ("binary_tensor_data",)
PLATFORM = "onnx_onnxv1"
