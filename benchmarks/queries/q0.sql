-- Pass-through: the cost of the engine itself.
SELECT auction, bidder, price, date_time, extra FROM bid
