-- A link by e-mail to choose a password is a credential by the channel 'email_link', one that was handed over at the
-- counter by 'counter'. Of a link, how often a wrong BHXH code may still be typed.

ALTER TABLE credentials ADD COLUMN tries_left smallint NOT NULL DEFAULT 5;
