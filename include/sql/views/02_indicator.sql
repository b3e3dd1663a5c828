-- derived.indicator with the names of its issues and columns. The number puts it before views that are made of it.
CREATE OR REPLACE VIEW mart.indicator AS
SELECT
    stored.symbol, stored.session, issue.name, issue.market,
    stored.traded, stored.traded_sessions, stored.flat, stored.sma_5, stored.sma_20, stored.sma_50, stored.sma_60,
    stored.sma_120, stored.sma_200, stored.ema_12, stored.ema_26, stored.macd, stored.macd_signal,
    stored.macd_histogram, stored.ichimoku_tenkan, stored.ichimoku_kijun, stored.ichimoku_senkou_a,
    stored.ichimoku_senkou_b, stored.ichimoku_chikou, stored.adx_14, stored.plus_di_14, stored.minus_di_14,
    stored.rsi_14, stored.stochastic_k, stored.stochastic_d, stored.williams_r_14, stored.cci_20, stored.roc_10,
    stored.bollinger_upper, stored.bollinger_middle, stored.bollinger_lower, stored.bollinger_width,
    stored.bollinger_percent_b, stored.atr_14, stored.realised_volatility_20, stored.high_52_weeks,
    stored.low_52_weeks, stored.mfi_14, stored.obv, stored.volume_ratio_20, stored.beta_60,
    stored.relative_strength_60, stored.foreign_net_krw_5, stored.foreign_net_krw_20, stored.institution_net_krw_5,
    stored.institution_net_krw_20, stored.foreign_pct_change_20
FROM derived.indicator AS stored
LEFT JOIN market.instrument AS issue ON issue.symbol = stored.symbol;

COMMENT ON VIEW mart.indicator IS 'Indicators of stocks, ETFs and ETNs by issue and session, on prices as they are adjusted now; mart.null_reason tells why a value is null';
-- What a column means is said once, at the table.
DO $$
DECLARE
    told record;
BEGIN
    FOR told IN
        SELECT attname, col_description(attrelid, attnum) AS meaning FROM pg_attribute
        WHERE attrelid = 'derived.indicator'::regclass AND attnum > 0 AND NOT attisdropped
    LOOP
        EXECUTE format('COMMENT ON COLUMN mart.indicator.%I IS %L', told.attname, told.meaning);
    END LOOP;
END
$$;
COMMENT ON COLUMN mart.indicator.name IS 'Latest name of the issue';
COMMENT ON COLUMN mart.indicator.market IS 'Latest market of the issue';

CREATE OR REPLACE VIEW mart.indicator_column AS SELECT * FROM derived.indicator_column;

COMMENT ON VIEW mart.indicator_column IS 'The indicators in mart.indicator: what each is of, its unit, warm-up and parameters, and where its formula comes from';
DO $$
DECLARE
    told record;
BEGIN
    FOR told IN
        SELECT attname, col_description(attrelid, attnum) AS meaning FROM pg_attribute
        WHERE attrelid = 'derived.indicator_column'::regclass AND attnum > 0 AND NOT attisdropped
    LOOP
        EXECUTE format('COMMENT ON COLUMN mart.indicator_column.%I IS %L', told.attname, told.meaning);
    END LOOP;
END
$$;
