"""The krxw command."""
