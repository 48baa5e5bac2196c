-- What a DBA asks of batchd, and the SELECT that answers it. They only read; the role batchd_reader may run all but
-- the last two, which show content of rows (batchd_content). Times are UTC. 'resumes' is the name of the task.

-- How far is it?
SELECT task, backlog, backlog_at, in_flight, waiting, failed, held, open_batches, applied, cost_usd, last_apply_at
FROM batchd.batchd_v_tasks;

-- What is in flight, and where?
SELECT batch, state, vendor, vendor_batch_id, vendor_status, requests, vendor_completed, created_at, submitted_at
FROM batchd.batchd_v_batches
WHERE closed_at IS NULL
ORDER BY batch;

-- Where is each candidate?
SELECT status, COUNT(*) AS candidates
FROM dbo.aicandidateBatchStatus
GROUP BY status
ORDER BY candidates DESC;

-- What failed, and why?
SELECT outcome, code, reason, COUNT(*) AS candidates, SUM(paid_tries) AS paid_tries, MIN(since) AS first_at
FROM batchd.batchd_v_failures
WHERE task = N'resumes'
GROUP BY outcome, code, reason
ORDER BY candidates DESC;

-- What happened to candidate 101, try by try?
SELECT r.batch_id, r.seq, r.outcome, r.error_code, r.error_text, r.finish_reason, r.input_tokens, r.output_tokens,
    r.cost_nano_usd * 0.000000001 AS cost_usd, r.finished_at
FROM batchd.batchd_request AS r
JOIN batchd.batchd_batch AS b ON b.id = r.batch_id
JOIN batchd.batchd_task AS t ON t.id = b.task_id
WHERE t.name = N'resumes' AND r.key_int = 101 AND r.key_hash = N''
ORDER BY r.batch_id;

-- What did it cost today, and in the last 30 days?
SELECT day, requests, applied, input_tokens, output_tokens, cost_usd
FROM batchd.batchd_v_spend_daily
WHERE task = N'resumes' AND day = CAST(SYSUTCDATETIME() AS DATE);

SELECT day, SUM(requests) AS requests, SUM(applied) AS applied, SUM(cost_usd) AS cost_usd
FROM batchd.batchd_v_spend_daily
WHERE day > CAST(DATEADD(DAY, -30, SYSUTCDATETIME()) AS DATE)
GROUP BY day
ORDER BY day;

-- Which candidates were written in batch 12, and which were not?
SELECT r.key_int AS userid, r.outcome, r.error_text, r.finished_at
FROM batchd.batchd_request AS r
WHERE r.batch_id = 12
ORDER BY r.outcome, r.key_int;

-- Is anything stuck? First what needs a person, with the command to run; then what has not moved for a long time.
SELECT kind, subject, detail, since, next_command
FROM batchd.batchd_v_findings
ORDER BY since;

SELECT batch, state, waits_for, waits_since, not_before, settle_by
FROM batchd.batchd_v_batches
WHERE waits_for IS NOT NULL
ORDER BY waits_since;

SELECT b.id AS batch, b.state, b.polled_at, b.expires_at, b.lease_owner, b.lease_expires_at
FROM batchd.batchd_batch AS b
WHERE b.closed_at IS NULL AND COALESCE(b.polled_at, b.created_at) < DATEADD(HOUR, -1, SYSUTCDATETIME())
ORDER BY b.id;

-- Who did what to batch 12, and when?
SELECT e.at, e.actor, e.action, e.from_state, e.to_state, e.reason
FROM batchd.batchd_event AS e
WHERE e.subject = N'batch' AND e.subject_id = 12
ORDER BY e.id;

-- What was each candidate asked, word for word? (The whole definition of the task that batch 12 was made with.)
SELECT JSON_VALUE(v.definition, '$.model') AS model, JSON_VALUE(v.definition, '$.prompt') AS prompt, v.definition
FROM batchd.batchd_batch AS b
JOIN batchd.batchd_task_version AS v ON v.id = b.version_id
WHERE b.id = 12;

-- What was in candidate 101's row before batchd wrote it? One row for each time, newest first.
SELECT r.batch_id, r.finished_at, c.body AS before_json, JSON_VALUE(c.body, '$.FullName') AS FullName_before
FROM batchd.batchd_request AS r
JOIN batchd.batchd_batch AS b ON b.id = r.batch_id
JOIN batchd.batchd_task AS t ON t.id = b.task_id
JOIN batchd.batchd_content AS c ON c.batch_id = r.batch_id AND c.seq = r.seq AND c.kind = N'before'
WHERE t.name = N'resumes' AND r.key_int = 101 AND r.key_hash = N''
ORDER BY r.batch_id DESC;

-- Which answers were paid for and not written? `batchd reapply` can write them, for nothing.
SELECT r.batch_id, r.key_int AS userid, r.outcome, r.error_text, c.body AS answer
FROM batchd.batchd_request AS r
JOIN batchd.batchd_content AS c ON c.batch_id = r.batch_id AND c.seq = r.seq AND c.kind = N'line'
WHERE r.outcome <> N'applied'
ORDER BY r.batch_id, r.seq;
