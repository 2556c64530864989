"""How a process logs: text for terminals, a JSON object a line elsewhere, and limits on both."""
