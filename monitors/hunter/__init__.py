"""Search for harm in groups that no configuration declares: a fixed lattice of slices of the traffic."""
