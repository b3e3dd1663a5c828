"""Corporate actions: found, explained, decided upon; the factors and series that follow."""
