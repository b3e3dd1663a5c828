"""Rules of trading in a market of stocks: costs, fills, and a portfolio that keeps to limits. Pure."""
