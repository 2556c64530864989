"""How fast the gateway is, beside the fastest server that one could write by hand and beside its peers."""
