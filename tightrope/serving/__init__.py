"""What a serving process needs around the gateway: its server, its sibling processes, its followers."""
