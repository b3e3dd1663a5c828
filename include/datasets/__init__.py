"""The registry: one module per dataset."""
