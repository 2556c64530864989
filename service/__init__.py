"""The gateway: Open Inference Protocol in, one of two models out, samples to the bus. adapters/ alone touches the
outside.
"""
