"""The exchange itself: how prices, halts, listings and corporate actions come to be, and the truth of them."""
