-- Stocks a source that answers symbol by symbol is asked for: those seen since the fortnight before the first session.
SELECT issue.symbol, issue.market, issue.name, issue.section
FROM market.instrument AS issue
WHERE issue.last_session >= %(first)s::date - 14
    AND issue.first_session <= %(session)s
    AND NOT EXISTS (
        SELECT FROM market.etp_daily_bar AS product
        WHERE product.symbol = issue.symbol AND product.session = issue.last_session
    )
ORDER BY issue.symbol
