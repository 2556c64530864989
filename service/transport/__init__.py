"""The transports that inference arrives by: HTTP and gRPC. Each only translates."""
