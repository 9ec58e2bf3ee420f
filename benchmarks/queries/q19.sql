-- Auction top 10: the ten highest bids of each auction, with their places.
SELECT *
FROM (
  SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS place FROM bid
) AS ranked
WHERE place <= 10
