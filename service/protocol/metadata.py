"""Constants of the protocol's server and model metadata."""

from tightrope import __version__

SERVER_VERSION = __version__
EXTENSIONS = ("binary_tensor_data",)
PLATFORM = "onnx_onnxv1"
