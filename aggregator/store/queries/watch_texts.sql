-- The text of every watch that was ever served from this store, as it was served last.
SELECT watch, argMax(digest, since) AS digest, argMax(text, since) AS text
FROM watches
GROUP BY watch
ORDER BY watch
