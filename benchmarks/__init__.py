"""What ``make bench`` measures: loading, storing and reading a simulated market, on this machine."""
