"""Files of rows: what the offline commands, the golden rows and the probe read, in every form, by the file's suffix."""
