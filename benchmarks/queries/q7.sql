-- Highest bid: the bids with the highest price of each tumbling window.
SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM bid AS b
JOIN (
  SELECT max(price) AS maxprice, window_end AS date_time
  FROM TUMBLE(bid, date_time, INTERVAL '10 seconds')
  GROUP BY window_start, window_end
) AS highest
ON b.price = highest.maxprice
WHERE b.date_time BETWEEN highest.date_time - INTERVAL '10 seconds' AND highest.date_time
