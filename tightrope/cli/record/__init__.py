"""The commands about recorded incidents."""
