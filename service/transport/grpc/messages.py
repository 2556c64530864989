"""The protocol's messages, from `open_inference.binpb`, which `make proto` compiles; their types are in messages.pyi.

They have a descriptor pool of their own: a client of the protocol in the same process registers the same names in the
default pool. A descriptor is read by every version of the library, while protoc's Python code needs the newest.
"""

from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_files = FileDescriptorSet.FromString(Path(__file__).with_name("open_inference.binpb").read_bytes()).file
DESCRIPTOR = DescriptorPool().AddSerializedFile(_files[0].SerializeToString())
globals().update({name: GetMessageClass(kind) for name, kind in DESCRIPTOR.message_types_by_name.items()})
