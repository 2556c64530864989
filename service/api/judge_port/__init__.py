"""What a judge of a cluster serves to people on its own port."""
