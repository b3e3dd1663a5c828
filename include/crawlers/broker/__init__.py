"""What all brokers have in common: one interface, one way to keep tokens, the datasets that follow."""
