-- The Nexmark auction, a thousand events a second: one in fifty is a person, three are auctions, the rest are bids.
CREATE STREAM IF NOT EXISTS person (
    id BIGINT, name TEXT, email_address TEXT, credit_card TEXT, city TEXT, state TEXT, date_time TIMESTAMP, extra TEXT,
    WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds'
) WITH (connector = 'nexmark', table = 'person', rate = '1000');

CREATE STREAM IF NOT EXISTS auction (
    id BIGINT, item_name TEXT, description TEXT, initial_bid BIGINT, reserve BIGINT, date_time TIMESTAMP,
    expires TIMESTAMP, seller BIGINT, category BIGINT, extra TEXT,
    WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds'
) WITH (connector = 'nexmark', table = 'auction', rate = '1000');

CREATE STREAM IF NOT EXISTS bid (
    auction BIGINT, bidder BIGINT, price BIGINT, channel TEXT, url TEXT, date_time TIMESTAMP, extra TEXT,
    WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds'
) WITH (connector = 'nexmark', table = 'bid', rate = '1000');

-- How much is bid where.
CREATE MATERIALIZED VIEW IF NOT EXISTS bids_per_channel AS
SELECT channel, count(*) AS bids, max(price) AS highest, sum(price) AS total
FROM bid
WHERE channel IN ('Google', 'Facebook', 'Baidu', 'Apple')
GROUP BY channel;

-- How many bids each auction got in each ten seconds, every two seconds.
CREATE MATERIALIZED VIEW IF NOT EXISTS hottest_auctions AS
SELECT window_start, auction, count(*) AS bids
FROM HOP(bid, date_time, INTERVAL '2 seconds', INTERVAL '10 seconds')
GROUP BY window_start, window_end, auction
HAVING count(*) > 100;

-- The highest bid of each ten seconds.
CREATE MATERIALIZED VIEW IF NOT EXISTS highest_bids AS
SELECT window_start, max(price) AS price, count(*) AS bids
FROM TUMBLE(bid, date_time, INTERVAL '10 seconds')
GROUP BY window_start, window_end;

-- Who has put things of category 10 up for auction, from three states.
CREATE MATERIALIZED VIEW IF NOT EXISTS local_sellers AS
SELECT person.name, person.city, person.state, auction.id AS auction
FROM auction JOIN person ON auction.seller = person.id
WHERE auction.category = 10 AND person.state IN ('OR', 'ID', 'CA');
