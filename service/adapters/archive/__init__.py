"""Files of the drift reports: compared rows, and the reports themselves."""
