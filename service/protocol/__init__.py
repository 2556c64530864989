"""The Open Inference Protocol v2 as bytes: requests, answers, tensors. Knows no transport and no model."""
