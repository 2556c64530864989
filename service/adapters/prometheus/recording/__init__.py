"""The metrics of the record of incidents."""
