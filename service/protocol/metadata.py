"""What the server and its models are, in the protocol's metadata."""

from tightrope import __version__

VERSION = __version__
EXTENSIONS = ("binary_tensor_data",)
PLATFORM = "onnx_onnxv1"
