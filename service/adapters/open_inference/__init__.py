"""A model that another server of the Open Inference Protocol v2 runs."""
