-- Stocks a source that answers symbol by symbol is asked for on a session: those seen in the fortnight before it.
SELECT issue.symbol, issue.market, issue.name, issue.section
FROM market.instrument AS issue
WHERE issue.last_session >= %(session)s::date - 14
    AND issue.first_session <= %(session)s
    AND NOT EXISTS (
        SELECT FROM market.etp_daily_bar AS product
        WHERE product.symbol = issue.symbol AND product.session = issue.last_session
    )
ORDER BY issue.symbol
