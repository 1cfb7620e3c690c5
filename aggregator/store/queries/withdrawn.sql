-- Whether this withdrawal is stored already.
SELECT count() AS kept
FROM withdrawals
WHERE probe = {probe:String} AND line = {line:String}
