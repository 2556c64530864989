"""The command `tightrope sweep`."""
