"""What keeps all workers within a source's limits, shared through the warehouse."""
