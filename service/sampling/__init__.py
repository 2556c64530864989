"""From answers, or from payload events, to samples on the bus."""
