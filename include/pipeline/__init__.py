"""The one way in: fetch, land, parse, check, load, publish."""
