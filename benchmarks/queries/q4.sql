-- Average price for a category: a join, and two levels of aggregates.
SELECT category, avg(final) AS average
FROM (
  SELECT max(b.price) AS final, a.category AS category
  FROM auction AS a JOIN bid AS b ON a.id = b.auction
  WHERE b.date_time BETWEEN a.date_time AND a.expires
  GROUP BY a.id, a.category
) AS winning
GROUP BY category
