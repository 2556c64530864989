"""The processes that use a state folder, as an erasure asks for them."""
