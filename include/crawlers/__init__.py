"""One module per source, one shared transport."""
