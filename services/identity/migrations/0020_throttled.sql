-- When the holder was told that somebody guesses at the password: once a day at the most.

ALTER TABLE accounts ADD COLUMN throttled_told_at timestamptz;
