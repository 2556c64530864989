"""The size of runs, the seconds that runs of a size take, and models that hang."""
