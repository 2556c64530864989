"""`tightrope card`: the public account of a compressed model, in which every figure names its source."""
