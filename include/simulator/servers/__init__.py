"""Web servers that publish the world as each source does, and the faults they can be switched to."""
