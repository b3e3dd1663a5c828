"""The strategies, a module for each family."""
