-- Which text was agreed to, and how agency and address were called at submission: the declaration's PDF stays the same.

ALTER TABLE registrations ADD COLUMN consent_text jsonb, ADD COLUMN declared_names jsonb;
