-- Of a null only: it says nothing of whether there is a value. The order is that in which the reasons take precedence.
CREATE OR REPLACE FUNCTION mart.null_reason(traded boolean, traded_sessions smallint, flat bigint, column_name text)
RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    described record;
BEGIN
    SELECT position, warm_up INTO described FROM mart.indicator_column WHERE name = column_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no indicator is called %: mart.indicator_column has their names', column_name;
    END IF;
    RETURN CASE
        WHEN NOT traded THEN 'no trade'
        WHEN traded_sessions < described.warm_up THEN 'warm-up'
        WHEN flat >> described.position & 1 = 1 THEN 'flat'
        ELSE 'no input'
    END;
END
$$;
COMMENT ON FUNCTION mart.null_reason IS 'Why an indicator of mart.indicator is null: no trade, warm-up, flat (nothing moved in its window) or no input (the index or the flow is missing); for nulls only';
