"""Rows that wait for their labels, as a judge of a cluster knows them in memory."""
