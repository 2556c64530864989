"""The dependence of rows: the unit of evidence, the factor of a cluster, and the warning that widens the unit."""
