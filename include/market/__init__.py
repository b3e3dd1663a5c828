"""The exchange's own rules, pure: calendar and hours, ticks, price limits, symbols. No I/O."""
