"""The Open Inference Protocol v2 as bytes: requests, answers, tensors. Independent of transports and models."""
