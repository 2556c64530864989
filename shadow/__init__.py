"""The shadow: runs the model that did not answer, compares, and judges. Knows nothing of HTTP."""
