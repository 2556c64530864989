"""Remote models on servers of the Open Inference Protocol v2."""
