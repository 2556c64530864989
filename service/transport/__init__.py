"""The transports of inference requests, HTTP and gRPC: each decodes requests and encodes responses."""
