"""The pairing of samples whose decisions are read by a kind."""
