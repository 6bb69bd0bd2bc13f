-- An SMS with a first password that was sent by a version which waited for no receipt: it is waited for now, while the
-- password may still be used. Found by the cause's id, which begins with its time in milliseconds (UUIDv7): no more than
-- three days are looked at. The job itself waits longer where RECEIPT_MARGIN_SECONDS or SMS_VALIDITY_SECONDS say so.

INSERT INTO jobs (kind, key, due_at)
SELECT 'report_unreceipted', m.id::text, coalesce(max(a.begun_at), now()) + interval '7 hours'
FROM message m LEFT JOIN attempt a ON a.message_id = m.id
WHERE m.cause_event_id >= (lpad(to_hex((extract(epoch FROM now() - interval '3 days') * 1000)::bigint), 12, '0')
                           || repeat('0', 20))::uuid
    AND m.channel = 'sms' AND m.purpose = 'credentials' AND m.state IN ('waiting', 'sending', 'sent')
    AND m.valid_until > now()
GROUP BY m.id
ON CONFLICT DO NOTHING;
