-- Schema `clay` at revision 0037, on PostgreSQL 18, without owners and grants.
-- Written by `make schema` from the migrations in alembic/. For reading and for the test that compares it; never run it.

CREATE SCHEMA clay;

CREATE TYPE clay.procrastinate_job_event_type AS ENUM (
    'deferred',
    'started',
    'deferred_for_retry',
    'failed',
    'succeeded',
    'cancelled',
    'abort_requested',
    'aborted',
    'scheduled',
    'retried'
);

CREATE TYPE clay.procrastinate_job_status AS ENUM (
    'todo',
    'doing',
    'succeeded',
    'failed',
    'cancelled',
    'aborting',
    'aborted'
);

CREATE TYPE clay.procrastinate_job_to_defer_v1 AS (
	queue_name character varying,
	task_name character varying,
	priority integer,
	lock text,
	queueing_lock text,
	args jsonb,
	scheduled_at timestamp with time zone
);

CREATE FUNCTION clay.audit_log_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    RAISE EXCEPTION 'clay.audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION clay.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status = 'todo'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        IF abort THEN
            UPDATE procrastinate_jobs
            SET abort_requested = true,
                status = CASE status
                    WHEN 'todo' THEN 'cancelled'::procrastinate_job_status ELSE status
                END
            WHERE id = job_id AND status IN ('todo', 'doing')
            RETURNING id INTO _job_id;
        ELSE
            UPDATE procrastinate_jobs
            SET status = 'cancelled'::procrastinate_job_status
            WHERE id = job_id AND status = 'todo'
            RETURNING id INTO _job_id;
        END IF;
    END IF;
    RETURN _job_id;
END;
$$;

CREATE FUNCTION clay.procrastinate_defer_jobs_v1(jobs clay.procrastinate_job_to_defer_v1[]) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    job_ids bigint[];
BEGIN
    WITH inserted_jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        SELECT (job).queue_name,
               (job).task_name,
               (job).priority,
               (job).lock,
               (job).queueing_lock,
               (job).args,
               (job).scheduled_at
        FROM unnest(jobs) AS job
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted_jobs INTO job_ids;

    RETURN job_ids;
END;
$$;

CREATE FUNCTION clay.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
	_job_id bigint;
	_defer_id bigint;
BEGIN
    INSERT
        INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
        VALUES (_task_name, _periodic_id, _defer_timestamp)
        ON CONFLICT DO NOTHING
        RETURNING id into _defer_id;

    IF _defer_id IS NULL THEN
        RETURN NULL;
    END IF;

    UPDATE procrastinate_periodic_defers
        SET job_id = (
            SELECT COALESCE((
                SELECT unnest(procrastinate_defer_jobs_v1(
                    ARRAY[
                        ROW(
                            _queue_name,
                            _task_name,
                            _priority,
                            _lock,
                            _queueing_lock,
                            _args,
                            NULL::timestamptz
                        )
                    ]::procrastinate_job_to_defer_v1[]
                ))
            ), NULL)
        )
        WHERE id = _defer_id
        RETURNING job_id INTO _job_id;

    DELETE
        FROM procrastinate_periodic_defers
        USING (
            SELECT id
            FROM procrastinate_periodic_defers
            WHERE procrastinate_periodic_defers.task_name = _task_name
            AND procrastinate_periodic_defers.periodic_id = _periodic_id
            AND procrastinate_periodic_defers.defer_timestamp < _defer_timestamp
            ORDER BY id
            FOR UPDATE
        ) to_delete
        WHERE procrastinate_periodic_defers.id = to_delete.id;

    RETURN _job_id;
END;
$$;

CREATE TABLE clay.procrastinate_jobs (
    id bigint NOT NULL,
    queue_name character varying(128) NOT NULL,
    task_name character varying(128) NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    lock text,
    queueing_lock text,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    status clay.procrastinate_job_status DEFAULT 'todo'::clay.procrastinate_job_status NOT NULL,
    scheduled_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    abort_requested boolean DEFAULT false NOT NULL,
    worker_id bigint,
    CONSTRAINT check_not_todo_abort_requested CHECK ((NOT ((status = 'todo'::clay.procrastinate_job_status) AND (abort_requested = true))))
);

CREATE FUNCTION clay.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) RETURNS clay.procrastinate_jobs
    LANGUAGE plpgsql
    AS $$
DECLARE
	found_jobs procrastinate_jobs;
BEGIN
    WITH candidate AS (
        SELECT jobs.*
            FROM procrastinate_jobs AS jobs
            WHERE
                -- reject the job if its lock has earlier or higher priority jobs
                NOT EXISTS (
                    SELECT 1
                        FROM procrastinate_jobs AS other_jobs
                        WHERE
                            jobs.lock IS NOT NULL
                            AND other_jobs.lock = jobs.lock
                            AND (
                                -- job with same lock is already running
                                other_jobs.status = 'doing'
                                OR
                                -- job with same lock is waiting and has higher priority (or same priority but was queued first)
                                (
                                    other_jobs.status = 'todo'
                                    AND (
                                        other_jobs.priority > jobs.priority
                                        OR (
                                        other_jobs.priority = jobs.priority
                                        AND other_jobs.id < jobs.id
                                        )
                                    )
                                )
                            )
                )
                AND jobs.status = 'todo'
                AND (target_queue_names IS NULL OR jobs.queue_name = ANY( target_queue_names ))
                AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
            ORDER BY jobs.priority DESC, jobs.id ASC LIMIT 1
            FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = p_worker_id
        FROM candidate
        WHERE procrastinate_jobs.id = candidate.id
        RETURNING procrastinate_jobs.* INTO found_jobs;

 RETURN found_jobs;
END;
$$;

CREATE FUNCTION clay.procrastinate_finish_job_v1(job_id bigint, end_status clay.procrastinate_job_status, delete_job boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF end_status NOT IN ('succeeded', 'failed', 'aborted') THEN
        RAISE 'End status should be either "succeeded", "failed" or "aborted" (job id: %)', job_id;
    END IF;
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = end_status,
            abort_requested = false,
            attempts = CASE status
                WHEN 'doing' THEN attempts + 1 ELSE attempts
            END
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" or "todo" status (job id: %)', job_id;
    END IF;
END;
$$;

CREATE FUNCTION clay.procrastinate_notify_queue_abort_job_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'abort_job_requested', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;

CREATE FUNCTION clay.procrastinate_notify_queue_job_inserted_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'job_inserted', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;

CREATE FUNCTION clay.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    DELETE FROM procrastinate_workers
    WHERE last_heartbeat < NOW() - (seconds_since_heartbeat || 'SECOND')::INTERVAL
    RETURNING procrastinate_workers.id;
END;
$$;

CREATE FUNCTION clay.procrastinate_register_worker_v1() RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    INSERT INTO procrastinate_workers DEFAULT VALUES
    RETURNING procrastinate_workers.id;
END;
$$;

CREATE FUNCTION clay.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
BEGIN
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status = 'doing'
    FOR UPDATE
    INTO _abort_requested;
    IF _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" status (job id: %)', job_id;
    END IF;
END;
$$;

CREATE FUNCTION clay.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
    _current_status procrastinate_job_status;
BEGIN
    SELECT status, abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status IN ('doing', 'failed')
    FOR UPDATE
    INTO _current_status, _abort_requested;
    IF _current_status = 'doing' AND _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status IN ('doing', 'failed')
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or has an invalid status to retry (job id: %)', job_id;
    END IF;

END;
$$;

CREATE FUNCTION clay.procrastinate_trigger_abort_requested_events_procedure_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'abort_requested'::procrastinate_job_event_type);
    RETURN NEW;
END;
$$;

CREATE FUNCTION clay.procrastinate_trigger_function_scheduled_events_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type, at)
        VALUES (NEW.id, 'scheduled'::procrastinate_job_event_type, NEW.scheduled_at);

	RETURN NEW;
END;
$$;

CREATE FUNCTION clay.procrastinate_trigger_function_status_events_insert_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'deferred'::procrastinate_job_event_type);
	RETURN NEW;
END;
$$;

CREATE FUNCTION clay.procrastinate_trigger_function_status_events_update_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    WITH t AS (
        SELECT CASE
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND NEW.status = 'doing'::procrastinate_job_status
                THEN 'started'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'deferred_for_retry'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'failed'::procrastinate_job_status
                THEN 'failed'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'succeeded'::procrastinate_job_status
                THEN 'succeeded'::procrastinate_job_event_type
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND (
                    NEW.status = 'cancelled'::procrastinate_job_status
                    OR NEW.status = 'failed'::procrastinate_job_status
                    OR NEW.status = 'succeeded'::procrastinate_job_status
                )
                THEN 'cancelled'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'aborted'::procrastinate_job_status
                THEN 'aborted'::procrastinate_job_event_type
            WHEN OLD.status = 'failed'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'retried'::procrastinate_job_event_type
            ELSE NULL
        END as event_type
    )
    INSERT INTO procrastinate_events(job_id, type)
        SELECT NEW.id, t.event_type
        FROM t
        WHERE t.event_type IS NOT NULL;
	RETURN NEW;
END;
$$;

CREATE FUNCTION clay.procrastinate_unlink_periodic_defers_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_periodic_defers
    SET job_id = NULL
    WHERE job_id = OLD.id;
    RETURN OLD;
END;
$$;

CREATE FUNCTION clay.procrastinate_unregister_worker_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM procrastinate_workers
    WHERE id = worker_id;
END;
$$;

CREATE FUNCTION clay.procrastinate_update_heartbeat_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_workers
    SET last_heartbeat = NOW()
    WHERE id = worker_id;
END;
$$;

CREATE TABLE clay.alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE clay.api_keys (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    key_hash bytea NOT NULL,
    org_ids uuid[] NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_scopes CHECK (((scopes <@ ARRAY['push'::text, 'read'::text, 'config'::text, 'erase'::text, 'ops'::text, 'enrich'::text, 'results'::text]) AND (cardinality(scopes) > 0)))
);

CREATE TABLE clay.attachment (
    only_one boolean DEFAULT true NOT NULL,
    level text NOT NULL,
    host_schema text NOT NULL,
    attached_by text NOT NULL,
    attached_at timestamp with time zone DEFAULT now() NOT NULL,
    writes_enrichment boolean DEFAULT false NOT NULL,
    CONSTRAINT attachment_level CHECK ((level = ANY (ARRAY['read'::text, 'mirror'::text, 'inbox'::text]))),
    CONSTRAINT attachment_only_one CHECK (only_one)
);

COMMENT ON TABLE clay.attachment IS 'The level at which this service is attached to NexusLeads; no row: not attached';

CREATE TABLE clay.audit_log (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    org_id uuid,
    actor text NOT NULL,
    action text NOT NULL,
    details jsonb DEFAULT '{}'::jsonb NOT NULL
);

ALTER TABLE clay.audit_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME clay.audit_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE clay.auto_enrich_rules (
    org_id uuid NOT NULL,
    project_id uuid NOT NULL,
    enabled boolean DEFAULT false NOT NULL,
    kind text NOT NULL,
    way text NOT NULL,
    legal_basis text NOT NULL,
    min_score numeric(6,2),
    classifications text[] DEFAULT '{}'::text[] NOT NULL,
    from_hour smallint,
    to_hour smallint,
    stale_months smallint,
    updated_by text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT auto_enrich_rules_kind CHECK ((kind = ANY (ARRAY['full'::text, 'email'::text]))),
    CONSTRAINT auto_enrich_rules_legal_basis CHECK ((legal_basis = ANY (ARRAY['consent'::text, 'legitimate_interest'::text]))),
    CONSTRAINT auto_enrich_rules_stale CHECK (((stale_months >= 1) AND (stale_months <= 60))),
    CONSTRAINT auto_enrich_rules_way CHECK ((way = ANY (ARRAY['routine'::text, 'table'::text]))),
    CONSTRAINT auto_enrich_rules_window CHECK ((((from_hour IS NULL) = (to_hour IS NULL)) AND (from_hour <> to_hour) AND ((from_hour >= 0) AND (from_hour <= 23)) AND ((to_hour >= 0) AND (to_hour <= 23))))
);

COMMENT ON TABLE clay.auto_enrich_rules IS 'A project''s rule that enriches leads after a scan; off by default';

COMMENT ON COLUMN clay.auto_enrich_rules.from_hour IS 'Off-peak window: hours of the organization''s time zone; null: at any time';

COMMENT ON COLUMN clay.auto_enrich_rules.stale_months IS 'Enrich leads again after so many months; null: never';

CREATE TABLE clay.auto_enrich_runs (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    project_id uuid NOT NULL,
    source_job_id uuid,
    reason text NOT NULL,
    outcome text,
    message text,
    job_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    lead_count integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    done_at timestamp with time zone,
    CONSTRAINT auto_enrich_runs_done CHECK (((done_at IS NULL) = (outcome IS NULL))),
    CONSTRAINT auto_enrich_runs_reason CHECK ((reason = ANY (ARRAY['scan'::text, 'stale'::text])))
);

COMMENT ON TABLE clay.auto_enrich_runs IS 'Runs of auto-enrich rules: one for each scan, and at most one a day for stale leads';

CREATE TABLE clay.auto_export_rules (
    org_id uuid NOT NULL,
    project_id uuid NOT NULL,
    enabled boolean NOT NULL,
    min_score numeric(5,2),
    classifications text[] DEFAULT '{}'::text[] NOT NULL,
    host_rule text NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT auto_export_rules_min_score_range CHECK (((min_score >= (0)::numeric) AND (min_score <= (100)::numeric)))
);

COMMENT ON TABLE clay.auto_export_rules IS 'Rules of projects whose host table has no columns for them, or whose columns this service may not write';

COMMENT ON COLUMN clay.auto_export_rules.host_rule IS 'The host''s columns when this row was written; if they have changed since, the host''s rule applies';

CREATE TABLE clay.auto_export_runs (
    org_id uuid NOT NULL,
    source_job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    outcome text NOT NULL,
    message text NOT NULL,
    job_id uuid,
    lead_count integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT auto_export_runs_outcome CHECK ((outcome = ANY (ARRAY['running'::text, 'queued'::text, 'nothing_new'::text, 'off'::text, 'enterprise_required'::text, 'clay_not_configured'::text, 'destination_closed'::text, 'results_missing'::text, 'quota_exhausted'::text])))
);

COMMENT ON TABLE clay.auto_export_runs IS 'One run per scan; a repeated request returns the stored result';

CREATE TABLE clay.clay_push_log (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    seq bigint NOT NULL,
    org_id uuid NOT NULL,
    job_id uuid NOT NULL,
    contributor_id uuid NOT NULL,
    project_id uuid NOT NULL,
    table_epoch integer NOT NULL,
    username text,
    full_name text,
    status character varying(50) DEFAULT 'pending'::character varying NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    cause text,
    error_message text,
    clay_response_status integer,
    attempts integer DEFAULT 0 NOT NULL,
    lost_claims integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    claim_token uuid,
    lease_until timestamp with time zone,
    payload_hash bytea,
    duration_ms integer,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    pushed_at timestamp with time zone,
    finished_at timestamp with time zone,
    uncertain_attempts integer DEFAULT 0 NOT NULL,
    destination_id uuid NOT NULL,
    confirmed_at timestamp with time zone,
    route_id uuid,
    revision integer,
    supersedes uuid,
    CONSTRAINT clay_push_log_cause CHECK ((((cause IS NOT NULL) = ((status)::text = ANY ((ARRAY['failed'::character varying, 'skipped'::character varying])::text[]))) OR ((status)::text = 'pending'::text))),
    CONSTRAINT clay_push_log_claim CHECK (((state = ANY (ARRAY['claimed'::text, 'sending'::text])) = (claim_token IS NOT NULL))),
    CONSTRAINT clay_push_log_finished CHECK (((finished_at IS NOT NULL) = (state = 'done'::text))),
    CONSTRAINT clay_push_log_lease CHECK (((claim_token IS NULL) = (lease_until IS NULL))),
    CONSTRAINT clay_push_log_pending_is_live CHECK ((((status)::text = 'pending'::text) = (state <> 'done'::text))),
    CONSTRAINT clay_push_log_revision CHECK ((((revision IS NULL) = (supersedes IS NULL)) AND (COALESCE(revision, 2) >= 2))),
    CONSTRAINT clay_push_log_state CHECK ((state = ANY (ARRAY['waiting'::text, 'claimed'::text, 'sending'::text, 'done'::text]))),
    CONSTRAINT clay_push_log_status CHECK (((status)::text = ANY ((ARRAY['pending'::character varying, 'success'::character varying, 'failed'::character varying, 'skipped'::character varying])::text[])))
);

COMMENT ON TABLE clay.clay_push_log IS 'Deliveries: one lead of one push job. The only record of what Clay accepted';

COMMENT ON COLUMN clay.clay_push_log.uncertain_attempts IS 'Attempts without a response or with a 5xx: Clay may have a row for each. Never decreases';

COMMENT ON COLUMN clay.clay_push_log.confirmed_at IS 'When a result from Clay first named the delivery: its row exists in Clay';

COMMENT ON COLUMN clay.clay_push_log.route_id IS 'The route that chose the destination; null: the request or the default did, or no route matched';

COMMENT ON COLUMN clay.clay_push_log.revision IS 'From 2: the lead is sent again because it has changed; null: it is sent for the first time, or without a revision';

COMMENT ON COLUMN clay.clay_push_log.supersedes IS 'The first delivery of the lead to this Clay table, which this one supersedes';

ALTER TABLE clay.clay_push_log ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME clay.clay_push_log_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE clay.console_sessions (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    secret_hash bytea NOT NULL,
    user_id uuid,
    username text,
    key_id uuid,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT console_sessions_owner CHECK ((((username IS NULL) <> (key_id IS NULL)) AND ((username IS NULL) = (user_id IS NULL))))
);

COMMENT ON TABLE clay.console_sessions IS 'Sessions of the web console. Only the browser holds the secret; rows are deleted 7 days after their end';

CREATE TABLE clay.custom_fields (
    org_id uuid NOT NULL,
    names text[] NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT custom_fields_number CHECK ((cardinality(names) <= 50))
);

COMMENT ON TABLE clay.custom_fields IS 'Names of the custom fields that an organization takes from results';

CREATE TABLE clay.destination_versions (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    destination_id uuid NOT NULL,
    number integer NOT NULL,
    sealed_url bytea,
    sealed_token bytea,
    url_mask text NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    state_reason text,
    state_since timestamp with time zone DEFAULT now() NOT NULL,
    probe_at timestamp with time zone,
    refusals integer DEFAULT 0 NOT NULL,
    outages integer DEFAULT 0 NOT NULL,
    source text NOT NULL,
    created_by text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    url_fingerprint bytea,
    meter_id uuid NOT NULL,
    has_unusual_form boolean DEFAULT false CONSTRAINT destination_versions_has_odd_form_not_null NOT NULL,
    is_internal boolean DEFAULT false NOT NULL,
    CONSTRAINT destination_versions_source CHECK ((source = ANY (ARRAY['api'::text, 'host'::text]))),
    CONSTRAINT destination_versions_state CHECK ((state = ANY (ARRAY['open'::text, 'waiting'::text, 'closed'::text])))
);

COMMENT ON TABLE clay.destination_versions IS 'One saved webhook, encrypted; push jobs refer to a version, never to a URL';

COMMENT ON COLUMN clay.destination_versions.url_fingerprint IS 'A hash of organization and URL (with a random salt before 0010); null in versions of earlier releases';

COMMENT ON COLUMN clay.destination_versions.has_unusual_form IS 'The URL does not have the form of a Clay webhook URL';

COMMENT ON COLUMN clay.destination_versions.is_internal IS 'The webhook led into an allowed internal network when it was saved, so its pace may be faster than Clay''s limit';

CREATE TABLE clay.destinations (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    org_id uuid NOT NULL,
    version_id uuid,
    table_name text,
    table_epoch integer DEFAULT 1 NOT NULL,
    host_fingerprint bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    url_since_version integer,
    new_table_version integer,
    workspace_id uuid NOT NULL,
    is_default boolean DEFAULT true NOT NULL,
    suspect_since timestamp with time zone,
    results_checked_at timestamp with time zone,
    name text DEFAULT 'Default'::text NOT NULL,
    archived_at timestamp with time zone,
    dedupe text DEFAULT 'unknown'::text NOT NULL,
    dedupe_column text,
    mapping_version_id uuid,
    CONSTRAINT destinations_dedupe CHECK ((dedupe = ANY (ARRAY['none'::text, 'keeps_oldest'::text, 'keeps_newest'::text, 'unknown'::text]))),
    CONSTRAINT destinations_default_in_use CHECK (((archived_at IS NULL) OR (NOT is_default))),
    CONSTRAINT destinations_table_epoch_range CHECK ((table_epoch >= 1))
);

COMMENT ON TABLE clay.destinations IS 'The Clay table of an organization: its pace and its current webhook version';

COMMENT ON COLUMN clay.destinations.table_epoch IS 'Number of the Clay table: leads in an earlier table do not count as already in Clay';

COMMENT ON COLUMN clay.destinations.url_since_version IS 'The version that introduced the current webhook URL; null: saved by an earlier release';

COMMENT ON COLUMN clay.destinations.new_table_version IS 'The last version that was declared to feed a new Clay table';

COMMENT ON COLUMN clay.destinations.is_default IS 'The destination of pushes that name none';

COMMENT ON COLUMN clay.destinations.suspect_since IS 'Since when results that Clay owes are missing; null: none are known to be';

COMMENT ON COLUMN clay.destinations.results_checked_at IS 'When a person last pushed the leads without a result again: earlier deliveries are not missing';

COMMENT ON COLUMN clay.destinations.name IS 'The name that the organization gave it, unique among those that are not archived';

COMMENT ON COLUMN clay.destinations.archived_at IS 'When it was archived: it accepts no push, and its history stays';

COMMENT ON COLUMN clay.destinations.dedupe IS 'What the Clay table does with a second row of the same dedupe_column: none, keeps_oldest, keeps_newest, unknown';

COMMENT ON COLUMN clay.destinations.mapping_version_id IS 'What new push jobs send; null: the standard payload';

CREATE TABLE clay.enriched_current (
    org_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    field text NOT NULL,
    value_id uuid NOT NULL,
    pinned_by text,
    pinned_at timestamp with time zone,
    chosen_because text NOT NULL,
    CONSTRAINT enriched_current_because CHECK ((chosen_because = ANY (ARRAY['pinned'::text, 'edited'::text, 'newest'::text, 'more_confident'::text]))),
    CONSTRAINT enriched_current_pinned CHECK ((((pinned_by IS NULL) = (pinned_at IS NULL)) AND ((pinned_by IS NOT NULL) = (chosen_because = 'pinned'::text))))
);

COMMENT ON TABLE clay.enriched_current IS 'The value chosen for each field of a lead. A value of the host itself precedes it, unless pinned or edited';

CREATE TABLE clay.enriched_values (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    seq bigint NOT NULL,
    org_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    field text NOT NULL,
    value jsonb,
    value_key text,
    source text NOT NULL,
    provider text,
    email_status text,
    confidence smallint,
    confidence_basis text NOT NULL,
    observed_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    result_id uuid,
    created_by text,
    CONSTRAINT enriched_values_basis CHECK (((confidence_basis = ANY (ARRAY['reported'::text, 'derived'::text, 'none'::text])) AND ((confidence IS NULL) = (confidence_basis = 'none'::text)))),
    CONSTRAINT enriched_values_confidence CHECK (((confidence >= 0) AND (confidence <= 100))),
    CONSTRAINT enriched_values_email_status CHECK ((email_status = ANY (ARRAY['valid'::text, 'catch_all'::text, 'role'::text, 'unknown'::text, 'invalid'::text]))),
    CONSTRAINT enriched_values_key CHECK (((value IS NULL) = (value_key IS NULL))),
    CONSTRAINT enriched_values_person CHECK (((created_by IS NOT NULL) = (source = 'person'::text))),
    CONSTRAINT enriched_values_source CHECK ((source = ANY (ARRAY['routine'::text, 'table'::text, 'person'::text])))
);

COMMENT ON TABLE clay.enriched_values IS 'Every value that was found for a field of a lead, and every search that found nothing; append-only';

COMMENT ON COLUMN clay.enriched_values.value IS 'A text or a list of texts; null: looked for and not found, or an edit withdrawn by a person';

ALTER TABLE clay.enriched_values ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME clay.enriched_values_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE clay.enrichment_items (
    id uuid NOT NULL,
    seq bigint NOT NULL,
    org_id uuid NOT NULL,
    job_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    project_id uuid NOT NULL,
    kind text NOT NULL,
    way text NOT NULL,
    state text NOT NULL,
    outcome text,
    cause text,
    missing text[] DEFAULT '{}'::text[] NOT NULL,
    run_id uuid,
    delivery_id uuid,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    throttled_at timestamp with time zone,
    found text[] DEFAULT '{}'::text[] NOT NULL,
    not_found text[] DEFAULT '{}'::text[] NOT NULL,
    credits numeric(8,2) DEFAULT 0 NOT NULL,
    actions numeric(8,2) DEFAULT 0 NOT NULL,
    cost_basis text DEFAULT 'none'::text NOT NULL,
    started_at timestamp with time zone,
    deadline_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT enrichment_items_cause CHECK (((cause IS NOT NULL) = ((outcome IS NOT NULL) AND (outcome <> ALL (ARRAY['found'::text, 'partial'::text]))))),
    CONSTRAINT enrichment_items_cost_basis CHECK ((cost_basis = ANY (ARRAY['none'::text, 'reserved'::text, 'estimated'::text, 'reported'::text]))),
    CONSTRAINT enrichment_items_done CHECK ((((outcome IS NOT NULL) = (state = 'done'::text)) AND ((finished_at IS NOT NULL) = (state = 'done'::text)))),
    CONSTRAINT enrichment_items_in_run CHECK (((state <> ALL (ARRAY['starting'::text, 'held'::text])) OR (run_id IS NOT NULL))),
    CONSTRAINT enrichment_items_kind CHECK ((kind = ANY (ARRAY['full'::text, 'email'::text]))),
    CONSTRAINT enrichment_items_outcome CHECK ((outcome = ANY (ARRAY['found'::text, 'partial'::text, 'nothing'::text, 'failed'::text, 'expired'::text, 'skipped'::text, 'cancelled'::text]))),
    CONSTRAINT enrichment_items_requested CHECK (((state <> 'requested'::text) OR (((run_id IS NOT NULL) OR (delivery_id IS NOT NULL)) AND (deadline_at IS NOT NULL)))),
    CONSTRAINT enrichment_items_state CHECK ((state = ANY (ARRAY['queued'::text, 'starting'::text, 'held'::text, 'requested'::text, 'done'::text]))),
    CONSTRAINT enrichment_items_way CHECK ((way = ANY (ARRAY['routine'::text, 'table'::text])))
);

COMMENT ON TABLE clay.enrichment_items IS 'One lead of an enrichment job; its id is the item''s id in Clay';

COMMENT ON COLUMN clay.enrichment_items.lead_id IS 'After an erasure, the reference that replaces the lead';

COMMENT ON COLUMN clay.enrichment_items.missing IS 'Values that the lead lacks (cause missing_input)';

COMMENT ON COLUMN clay.enrichment_items.delivery_id IS 'The delivery whose row in the Clay table calls back (way table)';

COMMENT ON COLUMN clay.enrichment_items.throttled_at IS 'Since when Clay has answered 429';

COMMENT ON COLUMN clay.enrichment_items.credits IS 'Counts against the budget of the day of started_at; see cost_basis';

ALTER TABLE clay.enrichment_items ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME clay.enrichment_items_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE clay.enrichment_jobs (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    project_id uuid,
    kind text NOT NULL,
    way text NOT NULL,
    mode text NOT NULL,
    legal_basis text NOT NULL,
    again boolean NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    lead_count integer NOT NULL,
    found_count integer DEFAULT 0 NOT NULL,
    partial_count integer DEFAULT 0 NOT NULL,
    nothing_count integer DEFAULT 0 NOT NULL,
    failed_count integer DEFAULT 0 NOT NULL,
    expired_count integer DEFAULT 0 NOT NULL,
    skipped_count integer DEFAULT 0 NOT NULL,
    cancelled_count integer DEFAULT 0 NOT NULL,
    credits_low numeric(12,2) NOT NULL,
    credits_high numeric(12,2),
    actions_low numeric(12,2) NOT NULL,
    actions_high numeric(12,2),
    credits numeric(12,2) DEFAULT 0 NOT NULL,
    actions numeric(12,2) DEFAULT 0 NOT NULL,
    source_job_id uuid,
    created_by text NOT NULL,
    created_by_user_id uuid,
    request_id text,
    cancel_requested_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    CONSTRAINT enrichment_jobs_counts CHECK ((((((((found_count + partial_count) + nothing_count) + failed_count) + expired_count) + skipped_count) + cancelled_count) <= lead_count)),
    CONSTRAINT enrichment_jobs_finished CHECK (((finished_at IS NOT NULL) = (status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])))),
    CONSTRAINT enrichment_jobs_kind CHECK ((kind = ANY (ARRAY['full'::text, 'email'::text]))),
    CONSTRAINT enrichment_jobs_legal_basis CHECK ((legal_basis = ANY (ARRAY['consent'::text, 'legitimate_interest'::text]))),
    CONSTRAINT enrichment_jobs_mode CHECK ((mode = ANY (ARRAY['one'::text, 'batch'::text, 'auto'::text, 'stale'::text]))),
    CONSTRAINT enrichment_jobs_status CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'completed'::text, 'failed'::text, 'cancelled'::text]))),
    CONSTRAINT enrichment_jobs_way CHECK ((way = ANY (ARRAY['routine'::text, 'table'::text])))
);

COMMENT ON TABLE clay.enrichment_jobs IS 'Requests to enrich leads';

COMMENT ON COLUMN clay.enrichment_jobs.project_id IS 'Null: the leads belong to several projects';

COMMENT ON COLUMN clay.enrichment_jobs.credits_low IS 'Estimated credits of the leads that were not skipped, when the job was accepted';

COMMENT ON COLUMN clay.enrichment_jobs.credits IS 'The sum over the items: reserved, estimated or reported credits';

CREATE TABLE clay.enrichment_routines (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    kind text NOT NULL,
    routine_id text NOT NULL,
    inputs jsonb NOT NULL,
    outputs jsonb NOT NULL,
    credits_low numeric(8,2),
    credits_high numeric(8,2),
    actions_low numeric(8,2),
    actions_high numeric(8,2),
    CONSTRAINT enrichment_routines_actions CHECK ((((actions_low IS NULL) = (actions_high IS NULL)) AND ((actions_low >= (0)::numeric) AND (actions_low <= actions_high)))),
    CONSTRAINT enrichment_routines_credits CHECK ((((credits_low IS NULL) = (credits_high IS NULL)) AND ((credits_low >= (0)::numeric) AND (credits_low <= credits_high)))),
    CONSTRAINT enrichment_routines_kind CHECK ((kind = ANY (ARRAY['full'::text, 'email'::text]))),
    CONSTRAINT enrichment_routines_maps CHECK (((jsonb_typeof(inputs) = 'object'::text) AND (jsonb_typeof(outputs) = 'object'::text)))
);

COMMENT ON TABLE clay.enrichment_routines IS 'The routine in Clay of each kind of enrichment, with its maps and estimated price';

COMMENT ON COLUMN clay.enrichment_routines.inputs IS 'Name of an input in Clay: value of the lead';

COMMENT ON COLUMN clay.enrichment_routines.outputs IS 'Field: key of the routine''s result';

COMMENT ON COLUMN clay.enrichment_routines.credits_low IS 'Estimated price of one lead, as its owner set it; null: not set';

CREATE TABLE clay.enrichment_run_reports (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    clay_run_id text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    next_try_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT enrichment_run_reports_state CHECK ((state = ANY (ARRAY['waiting'::text, 'known'::text, 'adopted'::text, 'unrelated'::text, 'expired'::text])))
);

COMMENT ON TABLE clay.enrichment_run_reports IS 'Runs that Clay''s webhook reported as finished; an unknown one may be a run that is held';

CREATE TABLE clay.enrichment_runs (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    kind text NOT NULL,
    routine_id text NOT NULL,
    outputs jsonb NOT NULL,
    clay_run_id text,
    state text DEFAULT 'starting'::text NOT NULL,
    cause text,
    claim_token uuid,
    lease_until timestamp with time zone,
    next_poll_at timestamp with time zone,
    polls integer DEFAULT 0 NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    complete_at timestamp with time zone,
    expires_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT enrichment_runs_finished CHECK (((finished_at IS NOT NULL) = (state = 'ended'::text))),
    CONSTRAINT enrichment_runs_kind CHECK ((kind = ANY (ARRAY['full'::text, 'email'::text]))),
    CONSTRAINT enrichment_runs_lease CHECK ((((claim_token IS NULL) = (lease_until IS NULL)) AND ((state <> 'starting'::text) OR (lease_until IS NOT NULL)))),
    CONSTRAINT enrichment_runs_running CHECK (((state <> 'running'::text) OR ((clay_run_id IS NOT NULL) AND (next_poll_at IS NOT NULL)))),
    CONSTRAINT enrichment_runs_state CHECK ((state = ANY (ARRAY['starting'::text, 'held'::text, 'running'::text, 'ended'::text])))
);

COMMENT ON TABLE clay.enrichment_runs IS 'Calls that start a routine in Clay for up to 100 items; each is started once';

COMMENT ON COLUMN clay.enrichment_runs.outputs IS 'Field: key of the result, as the settings had it when the run was started';

COMMENT ON COLUMN clay.enrichment_runs.state IS 'held: the start got no clear response, so Clay may be running and charging it';

COMMENT ON COLUMN clay.enrichment_runs.complete_at IS 'When Clay first reported the run as complete';

CREATE TABLE clay.enrichment_settings (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    version integer DEFAULT 0 NOT NULL,
    sealed_api_key bytea,
    key_mask text,
    key_source text,
    key_state text DEFAULT 'untried'::text NOT NULL,
    key_number integer DEFAULT 0 NOT NULL,
    key_checked_at timestamp with time zone,
    host_fingerprint bytea,
    requests_per_minute integer DEFAULT 100 NOT NULL,
    next_request_at timestamp with time zone DEFAULT now() NOT NULL,
    credits_per_day numeric(12,2),
    actions_per_day integer,
    time_zone text DEFAULT 'UTC'::text NOT NULL,
    changed_by text,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    run_webhook_id text,
    sealed_webhook_secret bytea,
    rules_paused_at timestamp with time zone,
    rules_paused_cause text,
    table_answer_minutes integer DEFAULT 120 NOT NULL,
    CONSTRAINT enrichment_settings_budget CHECK (((credits_per_day >= (0)::numeric) AND (actions_per_day >= 0))),
    CONSTRAINT enrichment_settings_key CHECK ((((sealed_api_key IS NULL) = (key_mask IS NULL)) AND ((sealed_api_key IS NULL) = (key_source IS NULL)))),
    CONSTRAINT enrichment_settings_key_source CHECK ((key_source = ANY (ARRAY['api'::text, 'host'::text]))),
    CONSTRAINT enrichment_settings_key_state CHECK ((key_state = ANY (ARRAY['untried'::text, 'accepted'::text, 'refused'::text]))),
    CONSTRAINT enrichment_settings_pace CHECK (((requests_per_minute >= 1) AND (requests_per_minute <= 10000))),
    CONSTRAINT enrichment_settings_rules_paused CHECK (((rules_paused_at IS NULL) = (rules_paused_cause IS NULL))),
    CONSTRAINT enrichment_settings_table_answer CHECK (((table_answer_minutes >= 5) AND (table_answer_minutes <= 1440))),
    CONSTRAINT enrichment_settings_webhook CHECK (((run_webhook_id IS NULL) = (sealed_webhook_secret IS NULL)))
);

COMMENT ON TABLE clay.enrichment_settings IS 'How an organization calls Clay''s public API, and what it may spend';

COMMENT ON COLUMN clay.enrichment_settings.version IS 'Counts the changes; 0: never changed';

COMMENT ON COLUMN clay.enrichment_settings.sealed_api_key IS 'Encrypted, bound to the id of this row';

COMMENT ON COLUMN clay.enrichment_settings.key_number IS 'Counts the keys, removals included; 0: there was never one';

COMMENT ON COLUMN clay.enrichment_settings.host_fingerprint IS 'Salted digest of the key last read from the host''s settings';

COMMENT ON COLUMN clay.enrichment_settings.next_request_at IS 'The first request that is not reserved';

COMMENT ON COLUMN clay.enrichment_settings.credits_per_day IS 'Daily budget of data credits; null: no limit';

COMMENT ON COLUMN clay.enrichment_settings.actions_per_day IS 'Daily budget of actions; null: no limit';

COMMENT ON COLUMN clay.enrichment_settings.time_zone IS 'IANA time zone in which a day of the budgets begins';

COMMENT ON COLUMN clay.enrichment_settings.run_webhook_id IS 'Clay''s id of the webhook that reports finished runs; null: none is set';

COMMENT ON COLUMN clay.enrichment_settings.sealed_webhook_secret IS 'Its signing secret, encrypted, bound to the id of this row';

COMMENT ON COLUMN clay.enrichment_settings.rules_paused_at IS 'Since when rules enrich nothing, until an owner resumes them or a test succeeds';

CREATE TABLE clay.erased_leads (
    org_id uuid NOT NULL,
    hash bytea NOT NULL,
    reference uuid NOT NULL,
    erasure_id uuid NOT NULL,
    erased_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE clay.erased_leads IS 'sha256 of the organization''s salt and the id of an erased lead: excludes the lead from later pushes';

CREATE TABLE clay.erasure_salts (
    org_id uuid NOT NULL,
    salt bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT erasure_salts_length CHECK ((octet_length(salt) = 32))
);

CREATE TABLE clay.erasures (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    actor text NOT NULL,
    lead_references uuid[] NOT NULL,
    stopped_count integer NOT NULL,
    emptied_count integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON COLUMN clay.erasures.lead_references IS 'References that replace the erased leads in the log; their ids are not stored';

CREATE TABLE clay.exclusions (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    lead_id uuid,
    domain text,
    ascii_domain text,
    address_hashes bytea[] DEFAULT '{}'::bytea[] NOT NULL,
    reason text,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    erased_at timestamp with time zone,
    segment_id uuid,
    CONSTRAINT exclusions_erased CHECK (((erased_at IS NULL) OR ((lead_id IS NOT NULL) AND (reason IS NULL)))),
    CONSTRAINT exclusions_hashes CHECK (((domain IS NULL) OR (cardinality(address_hashes) = 0))),
    CONSTRAINT exclusions_kind CHECK ((kind = ANY (ARRAY['exclusion'::text, 'opt_out'::text]))),
    CONSTRAINT exclusions_segment CHECK (((segment_id IS NULL) OR (cardinality(address_hashes) = 0))),
    CONSTRAINT exclusions_target CHECK (((num_nonnulls(lead_id, domain, segment_id) <= 1) AND ((domain IS NULL) = (ascii_domain IS NULL)) AND ((num_nonnulls(lead_id, domain, segment_id) = 1) OR (cardinality(address_hashes) >= 1))))
);

COMMENT ON TABLE clay.exclusions IS 'Leads, e-mail domains, addresses and segments that an organization keeps from Clay';

COMMENT ON COLUMN clay.exclusions.lead_id IS 'After an erasure the reference that replaces the lead in the log';

COMMENT ON COLUMN clay.exclusions.address_hashes IS 'Salted hashes of the excluded address, or of the addresses known of the lead: they match the person under another lead id, and after an erasure';

ALTER TABLE clay.exclusions ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME clay.exclusions_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE clay.finished_scans (
    source_job_id uuid NOT NULL,
    project_id uuid NOT NULL,
    created_by uuid,
    finished_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    done_at timestamp with time zone
);

COMMENT ON TABLE clay.finished_scans IS 'Scans that the host completed while attached at level inbox; each runs the rule once';

CREATE TABLE clay.host_writes (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    org_id uuid NOT NULL,
    seq bigint NOT NULL,
    lead_id uuid NOT NULL,
    field text NOT NULL,
    value_id uuid NOT NULL,
    value_key text NOT NULL,
    value_hash bytea NOT NULL,
    written_at timestamp with time zone DEFAULT now() NOT NULL,
    undone_at timestamp with time zone,
    undone_by text,
    CONSTRAINT host_writes_undone CHECK (((undone_at IS NULL) = (undone_by IS NULL)))
);

COMMENT ON TABLE clay.host_writes IS 'Each value of Clay that was written into an empty column of NexusLeads, once for each field of a lead';

COMMENT ON COLUMN clay.host_writes.value_hash IS 'SHA-256 of the written text: an undo empties the column only if it still holds it';

ALTER TABLE clay.host_writes ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME clay.host_writes_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE clay.idempotency_keys (
    org_id uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer NOT NULL,
    response jsonb CONSTRAINT idempotency_keys_answer_not_null NOT NULL,
    location text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE clay.inbound_results (
    id uuid NOT NULL,
    seq bigint NOT NULL,
    org_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_count integer DEFAULT 1 NOT NULL,
    sealed_body bytea,
    state text DEFAULT 'stored'::text NOT NULL,
    cause text,
    delivery_id uuid,
    lead_id uuid,
    applied_at timestamp with time zone,
    CONSTRAINT inbound_results_applied CHECK (((applied_at IS NOT NULL) = (state = ANY (ARRAY['applied'::text, 'nothing_new'::text])))),
    CONSTRAINT inbound_results_body CHECK (((state <> 'stored'::text) OR (sealed_body IS NOT NULL))),
    CONSTRAINT inbound_results_cause CHECK (((cause IS NOT NULL) = (state = ANY (ARRAY['unmatched'::text, 'refused'::text])))),
    CONSTRAINT inbound_results_state CHECK ((state = ANY (ARRAY['stored'::text, 'applied'::text, 'nothing_new'::text, 'unmatched'::text, 'refused'::text])))
);

COMMENT ON TABLE clay.inbound_results IS 'What Clay''s tables sent back, stored before it is acknowledged; applied by the worker';

COMMENT ON COLUMN clay.inbound_results.id IS 'Made of organization, endpoint and body: the same body is one result however often it arrives';

COMMENT ON COLUMN clay.inbound_results.sealed_body IS 'Encrypted, bound to the id of this row; emptied after 30 days or by an erasure';

ALTER TABLE clay.inbound_results ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME clay.inbound_results_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE clay.inbox (
    id bigint NOT NULL,
    host_job_id uuid NOT NULL,
    project_id uuid,
    created_by uuid,
    push_mode text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    taken_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    done_at timestamp with time zone,
    end_status text,
    end_message text,
    written_at timestamp with time zone,
    CONSTRAINT inbox_end_status CHECK ((end_status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text]))),
    CONSTRAINT inbox_ended CHECK (((end_status IS NULL) OR (done_at IS NOT NULL)))
);

COMMENT ON TABLE clay.inbox IS 'Pushes that the host queued, copied by a trigger, without webhook URLs';

COMMENT ON COLUMN clay.inbox.end_status IS 'Final status of the host''s row if no push job is shown in it';

ALTER TABLE clay.inbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME clay.inbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE clay.mapping_versions (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    mapping_id uuid NOT NULL,
    number integer NOT NULL,
    columns jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT mapping_versions_columns CHECK (((jsonb_typeof(columns) = 'array'::text) AND ((jsonb_array_length(columns) >= 1) AND (jsonb_array_length(columns) <= 120))))
);

COMMENT ON TABLE clay.mapping_versions IS 'The columns of a mapping as they were saved once; never changed, because push jobs name a version';

CREATE TABLE clay.mappings (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    name text NOT NULL,
    based_on text,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    archived_at timestamp with time zone
);

COMMENT ON TABLE clay.mappings IS 'Which columns a destination receives, by name; the columns are in the versions';

COMMENT ON COLUMN clay.mappings.based_on IS 'The table template that it was made from';

CREATE TABLE clay.mirror (
    job_id uuid NOT NULL,
    host_job_id uuid NOT NULL,
    settled_at timestamp with time zone,
    marked_seq bigint DEFAULT 0 NOT NULL,
    marked_count integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    org_id uuid NOT NULL
);

COMMENT ON TABLE clay.mirror IS 'Assigns push jobs to the rows of the host''s sourcing_jobs that show them';

COMMENT ON COLUMN clay.mirror.settled_at IS 'When the final state of the push job was written to the host''s row; null: not yet';

COMMENT ON COLUMN clay.mirror.marked_seq IS 'Deliveries up to this sequence number have ended and their successes are marked in the host';

COMMENT ON COLUMN clay.mirror.marked_count IS 'Number of successes of the push job when all of them were last marked';

CREATE TABLE clay.pending_api_keys (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    sealed_api_key bytea,
    key_mask text,
    found_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT pending_api_keys_mask CHECK (((sealed_api_key IS NULL) = (key_mask IS NULL)))
);

COMMENT ON TABLE clay.pending_api_keys IS 'An API key change in the host''s settings that an owner or admin has to confirm';

COMMENT ON COLUMN clay.pending_api_keys.sealed_api_key IS 'Encrypted, bound to the id of this row; null: the key was removed there';

CREATE TABLE clay.pending_webhooks (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    sealed_url bytea,
    sealed_token bytea,
    url_mask text,
    found_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT pending_webhooks_mask CHECK (((sealed_url IS NULL) = (url_mask IS NULL))),
    CONSTRAINT pending_webhooks_without_token CHECK ((sealed_token IS NULL))
);

COMMENT ON TABLE clay.pending_webhooks IS 'A webhook change in the host''s settings that an owner or admin has to confirm';

COMMENT ON COLUMN clay.pending_webhooks.sealed_url IS 'Encrypted, bound to the id of this row; null: the webhook was removed in the host''s settings';

CREATE TABLE clay.procrastinate_events (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    type clay.procrastinate_job_event_type,
    at timestamp with time zone DEFAULT now()
);

CREATE SEQUENCE clay.procrastinate_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE clay.procrastinate_events_id_seq OWNED BY clay.procrastinate_events.id;

CREATE SEQUENCE clay.procrastinate_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE clay.procrastinate_jobs_id_seq OWNED BY clay.procrastinate_jobs.id;

CREATE TABLE clay.procrastinate_periodic_defers (
    id bigint NOT NULL,
    task_name character varying(128) NOT NULL,
    defer_timestamp bigint,
    job_id bigint,
    periodic_id character varying(128) DEFAULT ''::character varying NOT NULL
);

CREATE SEQUENCE clay.procrastinate_periodic_defers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE clay.procrastinate_periodic_defers_id_seq OWNED BY clay.procrastinate_periodic_defers.id;

CREATE TABLE clay.procrastinate_workers (
    id bigint NOT NULL,
    last_heartbeat timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE clay.procrastinate_workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME clay.procrastinate_workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE clay.push_jobs (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    project_id uuid NOT NULL,
    project_name text,
    destination_version_id uuid NOT NULL,
    table_name text,
    table_epoch integer NOT NULL,
    push_mode text NOT NULL,
    filters jsonb,
    push_again boolean DEFAULT false NOT NULL,
    retry_of uuid,
    source_job_id uuid,
    created_by text,
    created_by_user_id uuid,
    request_id text,
    status text DEFAULT 'pending'::text NOT NULL,
    lead_count integer DEFAULT 0 NOT NULL,
    success_count integer DEFAULT 0 NOT NULL,
    failed_count integer DEFAULT 0 NOT NULL,
    skipped_count integer DEFAULT 0 NOT NULL,
    unknown_count integer DEFAULT 0 NOT NULL,
    cancel_requested_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    drained_at timestamp with time zone,
    emptied_at timestamp with time zone,
    page_count integer DEFAULT 0 NOT NULL,
    destination_id uuid NOT NULL,
    turn_at timestamp with time zone DEFAULT now() NOT NULL,
    sync_mode text DEFAULT 'new'::text NOT NULL,
    cause_counts jsonb,
    mapping_version_id uuid,
    window_since timestamp with time zone,
    window_count integer,
    last_window_since timestamp with time zone,
    last_window_count integer,
    CONSTRAINT push_jobs_counts CHECK (((LEAST(success_count, failed_count, skipped_count, unknown_count) >= 0) AND (unknown_count <= failed_count) AND (((success_count + failed_count) + skipped_count) <= lead_count))),
    CONSTRAINT push_jobs_finished CHECK (((finished_at IS NOT NULL) = (status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text])))),
    CONSTRAINT push_jobs_mode CHECK ((push_mode = ANY (ARRAY['selected'::text, 'filtered'::text, 'all'::text, 'auto'::text, 'retry'::text]))),
    CONSTRAINT push_jobs_status CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'completed'::text, 'failed'::text, 'cancelled'::text]))),
    CONSTRAINT push_jobs_sync_mode CHECK ((sync_mode = ANY (ARRAY['new'::text, 'new_and_changed'::text])))
);

COMMENT ON COLUMN clay.push_jobs.drained_at IS 'When a slice last worked on the push job; the sweep wakes push jobs that no worker drains';

COMMENT ON COLUMN clay.push_jobs.emptied_at IS 'When retention emptied the personal columns of its deliveries';

COMMENT ON COLUMN clay.push_jobs.page_count IS 'Leads for which a web page was returned with 2xx: counted as successes, possibly not accepted by a webhook';

COMMENT ON COLUMN clay.push_jobs.turn_at IS 'The last claim of its leads at the pace, at first its creation; the job with the oldest turn is claimed first';

COMMENT ON COLUMN clay.push_jobs.sync_mode IS 'new: leads that the table does not have; new_and_changed: also leads that have changed since';

COMMENT ON COLUMN clay.push_jobs.cause_counts IS 'Failed and skipped leads by status, cause and whether Clay may have them';

COMMENT ON COLUMN clay.push_jobs.mapping_version_id IS 'What its deliveries send, copied from the destination at accept; null: the standard payload';

COMMENT ON COLUMN clay.push_jobs.window_since IS 'Start of the current window of 10 s; window_count: leads with an outcome then';

COMMENT ON COLUMN clay.push_jobs.last_window_since IS 'Start of the window before, from which the rate is measured';

CREATE TABLE clay.quota_meters (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    org_id uuid NOT NULL,
    url_fingerprint bytea,
    used integer DEFAULT 0 NOT NULL,
    quota_limit integer DEFAULT 50000,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT quota_meters_range CHECK (((used >= 0) AND ((quota_limit IS NULL) OR (quota_limit >= 0))))
);

COMMENT ON TABLE clay.quota_meters IS 'Lifetime submissions of a webhook: one row per organization and URL, for all versions of the webhook';

COMMENT ON COLUMN clay.quota_meters.url_fingerprint IS 'A hash of organization and URL; null until a meter of a release before 0010 is used again';

CREATE TABLE clay.results_endpoints (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE clay.results_endpoints IS 'The public path to which an organization''s Clay tables send results. The id is no secret';

CREATE TABLE clay.results_tokens (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    slot smallint NOT NULL,
    prefix text NOT NULL,
    token_hash bytea NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT results_tokens_slot CHECK ((slot = ANY (ARRAY[1, 2])))
);

COMMENT ON TABLE clay.results_tokens IS 'Secrets of the results endpoint, as hashes. At most two are active, so that one can be replaced';

CREATE TABLE clay.routes (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    project_id uuid,
    "position" integer NOT NULL,
    segment_id uuid,
    destination_id uuid,
    continues boolean DEFAULT false NOT NULL,
    on_move text DEFAULT 'stay'::text NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT routes_continue CHECK (((NOT continues) OR (destination_id IS NOT NULL))),
    CONSTRAINT routes_on_move CHECK ((on_move = ANY (ARRAY['stay'::text, 'follow'::text]))),
    CONSTRAINT routes_position CHECK ((("position" >= 1) AND ("position" <= 100)))
);

COMMENT ON TABLE clay.routes IS 'Ordered rules: leads of a segment go to a destination';

COMMENT ON COLUMN clay.routes.project_id IS 'The project whose list it is in; null: the list of the organization';

COMMENT ON COLUMN clay.routes.segment_id IS 'Null: every lead';

COMMENT ON COLUMN clay.routes.destination_id IS 'Null: do not push';

COMMENT ON COLUMN clay.routes.continues IS 'Whether later routes are applied to a lead that this one matches';

COMMENT ON COLUMN clay.routes.on_move IS 'stay: automatic pushes skip a lead that is in any table; follow: only one that is in this table';

CREATE TABLE clay.schedule_runs (
    org_id uuid NOT NULL,
    schedule_id uuid NOT NULL,
    due_at timestamp with time zone NOT NULL,
    started_by text NOT NULL,
    outcome text NOT NULL,
    message text NOT NULL,
    job_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    lead_count integer DEFAULT 0 NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    destinations jsonb,
    CONSTRAINT schedule_runs_outcome CHECK ((outcome = ANY (ARRAY['queued'::text, 'nothing_new'::text, 'overlap'::text, 'missed'::text, 'paused'::text, 'enterprise_required'::text, 'clay_not_configured'::text, 'destination_closed'::text, 'results_missing'::text, 'quota_exhausted'::text, 'project_not_found'::text, 'failed'::text]))),
    CONSTRAINT schedule_runs_queued CHECK ((((outcome = 'queued'::text) = (cardinality(job_ids) > 0)) AND ((outcome = 'queued'::text) = (lead_count > 0))))
);

COMMENT ON TABLE clay.schedule_runs IS 'One row for each due time of a schedule, also for those at which nothing was pushed, with the reason';

COMMENT ON COLUMN clay.schedule_runs.due_at IS 'The due time; of a run that a person started, the start';

COMMENT ON COLUMN clay.schedule_runs.started_by IS '"time", or the actor who started the run';

COMMENT ON COLUMN clay.schedule_runs.destinations IS 'The outcome for each Clay table that routes chose; null: routes did not decide';

CREATE TABLE clay.schedules (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    project_id uuid NOT NULL,
    destination_id uuid,
    name text NOT NULL,
    kind text NOT NULL,
    spec jsonb NOT NULL,
    time_zone text NOT NULL,
    filters jsonb DEFAULT '{}'::jsonb NOT NULL,
    mode text DEFAULT 'new'::text NOT NULL,
    max_leads integer,
    catch_up_seconds integer DEFAULT 3600 NOT NULL,
    pause_after smallint DEFAULT 3 NOT NULL,
    next_due_at timestamp with time zone,
    next_run_at timestamp with time zone,
    tzdata_version text NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    paused_because text,
    paused_at timestamp with time zone,
    counted_from timestamp with time zone DEFAULT now() NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    segment_id uuid,
    CONSTRAINT schedules_catch_up CHECK (((catch_up_seconds >= 0) AND (catch_up_seconds <= 604800))),
    CONSTRAINT schedules_kind CHECK ((kind = ANY (ARRAY['interval'::text, 'daily'::text, 'weekly'::text, 'monthly'::text, 'cron'::text]))),
    CONSTRAINT schedules_max_leads CHECK (((max_leads >= 1) AND (max_leads <= 50000))),
    CONSTRAINT schedules_mode CHECK ((mode = ANY (ARRAY['new'::text, 'new_and_changed'::text]))),
    CONSTRAINT schedules_pause_after CHECK (((pause_after >= 1) AND (pause_after <= 100))),
    CONSTRAINT schedules_paused CHECK ((((paused_because IS NULL) = (paused_at IS NULL)) AND ((paused_because IS NULL) = (next_due_at IS NOT NULL)) AND ((next_due_at IS NULL) = (next_run_at IS NULL)))),
    CONSTRAINT schedules_paused_because CHECK ((paused_because = ANY (ARRAY['user'::text, 'failures'::text, 'erasure'::text]))),
    CONSTRAINT schedules_segment CHECK (((segment_id IS NOT NULL) = jsonb_exists(filters, 'segment'::text)))
);

COMMENT ON TABLE clay.schedules IS 'Pushes the new leads of a project at set times';

COMMENT ON COLUMN clay.schedules.destination_id IS 'Null: the routes decide, or the default destination';

COMMENT ON COLUMN clay.schedules.spec IS 'The times as a person states them: a local time and days, minutes and an anchor, or a cron expression';

COMMENT ON COLUMN clay.schedules.next_due_at IS 'The next time of the calendar; null while paused';

COMMENT ON COLUMN clay.schedules.next_run_at IS 'When the run starts: up to 60 s after next_due_at, or later after an error';

COMMENT ON COLUMN clay.schedules.tzdata_version IS 'The time zone rules with which next_due_at was computed';

COMMENT ON COLUMN clay.schedules.attempts IS 'Starts of the next run that ended with an error';

COMMENT ON COLUMN clay.schedules.counted_from IS 'Failures of earlier runs do not count: the schedule was resumed then';

COMMENT ON COLUMN clay.schedules.segment_id IS 'The segment whose leads are pushed, with its filters at the time of a run; null: filters decides';

CREATE TABLE clay.segments (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    name text NOT NULL,
    filters jsonb NOT NULL,
    emptied_at timestamp with time zone,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT segments_filters CHECK ((jsonb_typeof(filters) = 'object'::text))
);

COMMENT ON TABLE clay.segments IS 'Saved filters of leads';

COMMENT ON COLUMN clay.segments.emptied_at IS 'When an erasure removed a text that named an erased lead: the segment matches no lead until it is saved again';

CREATE TABLE clay.table_templates (
    id uuid NOT NULL,
    org_id uuid NOT NULL,
    name text NOT NULL,
    about text NOT NULL,
    dedupe_column text,
    columns jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE clay.table_templates IS 'Columns of Clay tables that an organization has saved to use again';

CREATE TABLE clay.workers (
    id uuid NOT NULL,
    hostname text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    clock_offset_seconds double precision,
    serves_workspaces boolean DEFAULT false NOT NULL,
    sends_mappings boolean DEFAULT false NOT NULL
);

COMMENT ON COLUMN clay.workers.clock_offset_seconds IS 'The worker''s own clock minus the database''s; null: from a release before 0013';

COMMENT ON COLUMN clay.workers.serves_workspaces IS 'False: a worker of a release before 0021, which adopts no workspace';

COMMENT ON COLUMN clay.workers.sends_mappings IS 'False: a worker of a release before 0037, which may send each push job with the standard payload';

CREATE TABLE clay.workspaces (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    org_id uuid NOT NULL,
    is_default boolean DEFAULT true NOT NULL,
    rate_limit_ms integer DEFAULT 200 NOT NULL,
    next_slot_at timestamp with time zone DEFAULT now() NOT NULL,
    throttled_ms double precision,
    throttled_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    recovery_ms double precision,
    served_by uuid,
    served_until timestamp with time zone,
    woken_at timestamp with time zone,
    name text DEFAULT 'Default'::text NOT NULL,
    CONSTRAINT workspaces_rate_limit_ms_range CHECK (((rate_limit_ms >= 0) AND (rate_limit_ms <= 60000)))
);

COMMENT ON TABLE clay.workspaces IS 'A customer''s Clay workspace. It owns the pace: Clay limits requests per workspace';

COMMENT ON COLUMN clay.workspaces.is_default IS 'The workspace of the organization''s default destination';

COMMENT ON COLUMN clay.workspaces.rate_limit_ms IS 'Milliseconds between two leads; 0: no pace';

COMMENT ON COLUMN clay.workspaces.next_slot_at IS 'The first slot that is not reserved';

COMMENT ON COLUMN clay.workspaces.throttled_ms IS 'Milliseconds between two leads directly after the last 429';

COMMENT ON COLUMN clay.workspaces.throttled_at IS 'When the pause of the last 429 ends';

COMMENT ON COLUMN clay.workspaces.recovery_ms IS 'From then until the rate is back at the refused one; null: a number of POSTs at that rate';

COMMENT ON COLUMN clay.workspaces.served_by IS 'The worker that serves the workspace: it claims and sends the leads of its destinations';

COMMENT ON COLUMN clay.workspaces.served_until IS 'When the lease of served_by ends; another worker may take the workspace then';

COMMENT ON COLUMN clay.workspaces.woken_at IS 'The last wake-up of a push job of the workspace: it is not released before its worker has claimed again';

COMMENT ON COLUMN clay.workspaces.name IS 'The name that the organization gave it, unique in the organization';

CREATE TABLE clay.write_back (
    org_id uuid NOT NULL,
    enabled boolean NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE clay.write_back IS 'Whether an organization lets values of Clay fill empty columns of NexusLeads';

ALTER TABLE ONLY clay.procrastinate_events ALTER COLUMN id SET DEFAULT nextval('clay.procrastinate_events_id_seq'::regclass);

ALTER TABLE ONLY clay.procrastinate_jobs ALTER COLUMN id SET DEFAULT nextval('clay.procrastinate_jobs_id_seq'::regclass);

ALTER TABLE ONLY clay.procrastinate_periodic_defers ALTER COLUMN id SET DEFAULT nextval('clay.procrastinate_periodic_defers_id_seq'::regclass);

ALTER TABLE ONLY clay.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY clay.api_keys
    ADD CONSTRAINT api_keys_hash UNIQUE (key_hash);

ALTER TABLE ONLY clay.api_keys
    ADD CONSTRAINT api_keys_pk PRIMARY KEY (id);

ALTER TABLE ONLY clay.attachment
    ADD CONSTRAINT attachment_pk PRIMARY KEY (only_one);

ALTER TABLE ONLY clay.audit_log
    ADD CONSTRAINT audit_log_pk PRIMARY KEY (id);

ALTER TABLE ONLY clay.auto_enrich_rules
    ADD CONSTRAINT auto_enrich_rules_pk PRIMARY KEY (org_id, project_id);

ALTER TABLE ONLY clay.auto_enrich_runs
    ADD CONSTRAINT auto_enrich_runs_once UNIQUE (org_id, source_job_id);

ALTER TABLE ONLY clay.auto_enrich_runs
    ADD CONSTRAINT auto_enrich_runs_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.auto_export_rules
    ADD CONSTRAINT auto_export_rules_pk PRIMARY KEY (org_id, project_id);

ALTER TABLE ONLY clay.auto_export_runs
    ADD CONSTRAINT auto_export_runs_pk PRIMARY KEY (org_id, source_job_id);

ALTER TABLE ONLY clay.clay_push_log
    ADD CONSTRAINT clay_push_log_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.console_sessions
    ADD CONSTRAINT console_sessions_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.console_sessions
    ADD CONSTRAINT console_sessions_secret UNIQUE (secret_hash);

ALTER TABLE ONLY clay.custom_fields
    ADD CONSTRAINT custom_fields_pk PRIMARY KEY (org_id);

ALTER TABLE ONLY clay.destination_versions
    ADD CONSTRAINT destination_versions_destination_key UNIQUE (id, destination_id, org_id);

ALTER TABLE ONLY clay.destination_versions
    ADD CONSTRAINT destination_versions_number UNIQUE (destination_id, number);

ALTER TABLE ONLY clay.destination_versions
    ADD CONSTRAINT destination_versions_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.destinations
    ADD CONSTRAINT destinations_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.enriched_current
    ADD CONSTRAINT enriched_current_pk PRIMARY KEY (org_id, lead_id, field);

ALTER TABLE ONLY clay.enriched_values
    ADD CONSTRAINT enriched_values_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.enrichment_items
    ADD CONSTRAINT enrichment_items_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.enrichment_jobs
    ADD CONSTRAINT enrichment_jobs_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.enrichment_routines
    ADD CONSTRAINT enrichment_routines_one_per_kind UNIQUE (org_id, kind);

ALTER TABLE ONLY clay.enrichment_routines
    ADD CONSTRAINT enrichment_routines_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.enrichment_run_reports
    ADD CONSTRAINT enrichment_run_reports_one_per_run UNIQUE (org_id, clay_run_id);

ALTER TABLE ONLY clay.enrichment_run_reports
    ADD CONSTRAINT enrichment_run_reports_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.enrichment_runs
    ADD CONSTRAINT enrichment_runs_clay_run UNIQUE (org_id, clay_run_id);

ALTER TABLE ONLY clay.enrichment_runs
    ADD CONSTRAINT enrichment_runs_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.enrichment_settings
    ADD CONSTRAINT enrichment_settings_one_per_organization UNIQUE (org_id);

ALTER TABLE ONLY clay.enrichment_settings
    ADD CONSTRAINT enrichment_settings_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.erased_leads
    ADD CONSTRAINT erased_leads_pk PRIMARY KEY (org_id, hash);

ALTER TABLE ONLY clay.erased_leads
    ADD CONSTRAINT erased_leads_reference UNIQUE (org_id, reference);

ALTER TABLE ONLY clay.erasure_salts
    ADD CONSTRAINT erasure_salts_pk PRIMARY KEY (org_id);

ALTER TABLE ONLY clay.erasures
    ADD CONSTRAINT erasures_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.exclusions
    ADD CONSTRAINT exclusions_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.finished_scans
    ADD CONSTRAINT finished_scans_pk PRIMARY KEY (source_job_id);

ALTER TABLE ONLY clay.host_writes
    ADD CONSTRAINT host_writes_once UNIQUE (org_id, lead_id, field);

ALTER TABLE ONLY clay.host_writes
    ADD CONSTRAINT host_writes_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pk PRIMARY KEY (org_id, key);

ALTER TABLE ONLY clay.inbound_results
    ADD CONSTRAINT inbound_results_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.inbox
    ADD CONSTRAINT inbox_host_job UNIQUE (host_job_id);

ALTER TABLE ONLY clay.inbox
    ADD CONSTRAINT inbox_pk PRIMARY KEY (id);

ALTER TABLE ONLY clay.mapping_versions
    ADD CONSTRAINT mapping_versions_number UNIQUE (org_id, mapping_id, number);

ALTER TABLE ONLY clay.mapping_versions
    ADD CONSTRAINT mapping_versions_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.mappings
    ADD CONSTRAINT mappings_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.mirror
    ADD CONSTRAINT mirror_host_job UNIQUE (host_job_id);

ALTER TABLE ONLY clay.mirror
    ADD CONSTRAINT mirror_pk PRIMARY KEY (job_id, org_id);

ALTER TABLE ONLY clay.pending_api_keys
    ADD CONSTRAINT pending_api_keys_one_per_organization UNIQUE (org_id);

ALTER TABLE ONLY clay.pending_api_keys
    ADD CONSTRAINT pending_api_keys_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.pending_webhooks
    ADD CONSTRAINT pending_webhooks_one_per_organization UNIQUE (org_id);

ALTER TABLE ONLY clay.pending_webhooks
    ADD CONSTRAINT pending_webhooks_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.procrastinate_events
    ADD CONSTRAINT procrastinate_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY clay.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY clay.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY clay.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_unique UNIQUE (task_name, periodic_id, defer_timestamp);

ALTER TABLE ONLY clay.procrastinate_workers
    ADD CONSTRAINT procrastinate_workers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY clay.push_jobs
    ADD CONSTRAINT push_jobs_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.quota_meters
    ADD CONSTRAINT quota_meters_one_per_webhook UNIQUE (org_id, url_fingerprint);

ALTER TABLE ONLY clay.quota_meters
    ADD CONSTRAINT quota_meters_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.results_endpoints
    ADD CONSTRAINT results_endpoints_one_per_organization UNIQUE (org_id);

ALTER TABLE ONLY clay.results_endpoints
    ADD CONSTRAINT results_endpoints_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.results_tokens
    ADD CONSTRAINT results_tokens_hash UNIQUE (token_hash);

ALTER TABLE ONLY clay.results_tokens
    ADD CONSTRAINT results_tokens_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.routes
    ADD CONSTRAINT routes_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.schedule_runs
    ADD CONSTRAINT schedule_runs_pk PRIMARY KEY (org_id, schedule_id, due_at);

ALTER TABLE ONLY clay.schedules
    ADD CONSTRAINT schedules_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.segments
    ADD CONSTRAINT segments_name UNIQUE (org_id, name);

ALTER TABLE ONLY clay.segments
    ADD CONSTRAINT segments_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.table_templates
    ADD CONSTRAINT table_templates_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.workers
    ADD CONSTRAINT workers_pk PRIMARY KEY (id);

ALTER TABLE ONLY clay.workspaces
    ADD CONSTRAINT workspaces_pk PRIMARY KEY (id, org_id);

ALTER TABLE ONLY clay.write_back
    ADD CONSTRAINT write_back_pk PRIMARY KEY (org_id);

CREATE INDEX audit_log_by_organization ON clay.audit_log USING btree (org_id, id DESC);

CREATE INDEX audit_log_config_changes ON clay.audit_log USING btree (org_id, id DESC) WHERE (action = ANY (ARRAY['config.changed'::text, 'config.removed'::text]));

CREATE INDEX auto_enrich_runs_due ON clay.auto_enrich_runs USING btree (due_at) WHERE (done_at IS NULL);

CREATE INDEX auto_enrich_runs_of_project ON clay.auto_enrich_runs USING btree (org_id, project_id, created_at);

CREATE UNIQUE INDEX auto_enrich_runs_one_stale ON clay.auto_enrich_runs USING btree (org_id, project_id) WHERE ((done_at IS NULL) AND (reason = 'stale'::text));

CREATE INDEX clay_push_log_by_job ON clay.clay_push_log USING btree (job_id, seq);

CREATE INDEX clay_push_log_by_lead ON clay.clay_push_log USING btree (org_id, contributor_id, seq);

CREATE INDEX clay_push_log_confirmed ON clay.clay_push_log USING btree (org_id, destination_id, table_epoch, finished_at) WHERE (confirmed_at IS NOT NULL);

CREATE INDEX clay_push_log_due ON clay.clay_push_log USING btree (job_id, seq) WHERE (state = 'waiting'::text);

CREATE INDEX clay_push_log_leases ON clay.clay_push_log USING btree (lease_until) WHERE (state = ANY (ARRAY['claimed'::text, 'sending'::text]));

CREATE UNIQUE INDEX clay_push_log_one_live ON clay.clay_push_log USING btree (org_id, destination_id, contributor_id) WHERE (state <> 'done'::text);

CREATE INDEX clay_push_log_suspects ON clay.clay_push_log USING btree (job_id, seq) WHERE ((state = 'waiting'::text) AND (lost_claims > 0));

CREATE INDEX clay_push_log_unsettled ON clay.clay_push_log USING btree (org_id, id) WHERE ((confirmed_at IS NOT NULL) AND ((status)::text <> 'success'::text));

CREATE INDEX console_sessions_by_expiry ON clay.console_sessions USING btree (expires_at);

CREATE UNIQUE INDEX destinations_name ON clay.destinations USING btree (org_id, lower(name)) WHERE (archived_at IS NULL);

CREATE INDEX destinations_of_workspace ON clay.destinations USING btree (org_id, workspace_id);

CREATE UNIQUE INDEX destinations_one_default ON clay.destinations USING btree (org_id) WHERE is_default;

CREATE INDEX enriched_current_by_value ON clay.enriched_current USING btree (value_id, org_id);

CREATE INDEX enriched_values_by_age ON clay.enriched_values USING btree (received_at);

CREATE INDEX enriched_values_of_lead ON clay.enriched_values USING btree (org_id, lead_id, field, seq);

CREATE UNIQUE INDEX enriched_values_one_effect ON clay.enriched_values USING btree (org_id, result_id, field) WHERE (result_id IS NOT NULL);

CREATE INDEX enrichment_items_by_day ON clay.enrichment_items USING btree (org_id, started_at) WHERE (started_at IS NOT NULL);

CREATE INDEX enrichment_items_deadlines ON clay.enrichment_items USING btree (deadline_at) WHERE (state = ANY (ARRAY['held'::text, 'requested'::text]));

CREATE INDEX enrichment_items_of_delivery ON clay.enrichment_items USING btree (org_id, delivery_id) WHERE (delivery_id IS NOT NULL);

CREATE INDEX enrichment_items_of_job ON clay.enrichment_items USING btree (job_id, org_id, seq);

CREATE INDEX enrichment_items_of_lead ON clay.enrichment_items USING btree (org_id, lead_id, finished_at);

CREATE INDEX enrichment_items_of_run ON clay.enrichment_items USING btree (run_id, org_id) WHERE (run_id IS NOT NULL);

CREATE UNIQUE INDEX enrichment_items_one_live ON clay.enrichment_items USING btree (org_id, lead_id) WHERE (state <> 'done'::text);

CREATE INDEX enrichment_items_queued ON clay.enrichment_items USING btree (org_id, seq) WHERE (state = 'queued'::text);

CREATE INDEX enrichment_jobs_by_time ON clay.enrichment_jobs USING btree (org_id, created_at DESC, id DESC);

CREATE INDEX enrichment_run_reports_by_age ON clay.enrichment_run_reports USING btree (received_at);

CREATE INDEX enrichment_run_reports_waiting ON clay.enrichment_run_reports USING btree (org_id, next_try_at) WHERE (state = 'waiting'::text);

CREATE INDEX enrichment_runs_due ON clay.enrichment_runs USING btree (next_poll_at, org_id) WHERE (state = 'running'::text);

CREATE INDEX enrichment_runs_live ON clay.enrichment_runs USING btree (org_id, started_at) WHERE (state <> 'ended'::text);

CREATE INDEX exclusions_by_organization ON clay.exclusions USING btree (org_id, seq);

CREATE UNIQUE INDEX exclusions_of_address ON clay.exclusions USING btree (org_id, address_hashes) WHERE ((lead_id IS NULL) AND (domain IS NULL) AND (segment_id IS NULL));

CREATE UNIQUE INDEX exclusions_of_domain ON clay.exclusions USING btree (org_id, domain) WHERE (domain IS NOT NULL);

CREATE UNIQUE INDEX exclusions_of_lead ON clay.exclusions USING btree (org_id, lead_id) WHERE (lead_id IS NOT NULL);

CREATE UNIQUE INDEX exclusions_of_segment ON clay.exclusions USING btree (org_id, segment_id) WHERE (segment_id IS NOT NULL);

CREATE INDEX finished_scans_of_project ON clay.finished_scans USING btree (project_id, finished_at);

CREATE INDEX finished_scans_waiting ON clay.finished_scans USING btree (due_at) WHERE (done_at IS NULL);

CREATE INDEX idempotency_keys_by_age ON clay.idempotency_keys USING btree (created_at);

CREATE INDEX idx_procrastinate_jobs_worker_not_null ON clay.procrastinate_jobs USING btree (worker_id) WHERE ((worker_id IS NOT NULL) AND (status = 'doing'::clay.procrastinate_job_status));

CREATE INDEX idx_procrastinate_workers_last_heartbeat ON clay.procrastinate_workers USING btree (last_heartbeat);

CREATE INDEX inbound_results_bodies ON clay.inbound_results USING btree (received_at) WHERE (sealed_body IS NOT NULL);

CREATE INDEX inbound_results_by_age ON clay.inbound_results USING btree (received_at);

CREATE INDEX inbound_results_by_state ON clay.inbound_results USING btree (org_id, state, seq);

CREATE INDEX inbound_results_stored ON clay.inbound_results USING btree (org_id, seq) WHERE (state = 'stored'::text);

CREATE INDEX inbox_unwritten ON clay.inbox USING btree (id) WHERE ((end_status IS NOT NULL) AND (written_at IS NULL));

CREATE INDEX inbox_waiting ON clay.inbox USING btree (due_at) WHERE (done_at IS NULL);

CREATE UNIQUE INDEX mappings_name ON clay.mappings USING btree (org_id, lower(name)) WHERE (archived_at IS NULL);

CREATE INDEX mirror_by_end ON clay.mirror USING btree (settled_at);

CREATE INDEX mirror_unsettled ON clay.mirror USING btree (job_id) WHERE (settled_at IS NULL);

CREATE INDEX procrastinate_events_job_id_fkey_v1 ON clay.procrastinate_events USING btree (job_id);

CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON clay.procrastinate_jobs USING btree (id, lock) WHERE (status = ANY (ARRAY['todo'::clay.procrastinate_job_status, 'doing'::clay.procrastinate_job_status]));

CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON clay.procrastinate_jobs USING btree (lock) WHERE (status = 'doing'::clay.procrastinate_job_status);

CREATE INDEX procrastinate_jobs_priority_idx_v1 ON clay.procrastinate_jobs USING btree (priority DESC, id) WHERE (status = 'todo'::clay.procrastinate_job_status);

CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON clay.procrastinate_jobs USING btree (queue_name);

CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON clay.procrastinate_jobs USING btree (queueing_lock) WHERE (status = 'todo'::clay.procrastinate_job_status);

CREATE INDEX procrastinate_jobs_wake_ups ON clay.procrastinate_jobs USING btree (((args ->> 'job_id'::text))) WHERE (status = 'todo'::clay.procrastinate_job_status);

CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON clay.procrastinate_periodic_defers USING btree (job_id);

CREATE INDEX push_jobs_by_age ON clay.push_jobs USING btree (created_at);

CREATE INDEX push_jobs_by_organization ON clay.push_jobs USING btree (org_id, created_at DESC, id);

CREATE INDEX push_jobs_live ON clay.push_jobs USING btree (destination_version_id) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));

CREATE UNIQUE INDEX push_jobs_one_auto_export_per_table ON clay.push_jobs USING btree (org_id, source_job_id, destination_id) WHERE ((push_mode = 'auto'::text) AND (source_job_id IS NOT NULL));

CREATE INDEX push_jobs_to_empty ON clay.push_jobs USING btree (finished_at) WHERE ((finished_at IS NOT NULL) AND (emptied_at IS NULL));

CREATE INDEX push_jobs_turns ON clay.push_jobs USING btree (destination_id, turn_at) WHERE (status = 'running'::text);

CREATE INDEX results_tokens_of_endpoint ON clay.results_tokens USING btree (endpoint_id, org_id);

CREATE UNIQUE INDEX results_tokens_two_active ON clay.results_tokens USING btree (org_id, slot) WHERE (revoked_at IS NULL);

CREATE INDEX routes_of_destination ON clay.routes USING btree (org_id, destination_id);

CREATE INDEX routes_of_segment ON clay.routes USING btree (org_id, segment_id);

CREATE UNIQUE INDEX routes_position_of_organization ON clay.routes USING btree (org_id, "position") WHERE (project_id IS NULL);

CREATE UNIQUE INDEX routes_position_of_project ON clay.routes USING btree (org_id, project_id, "position") WHERE (project_id IS NOT NULL);

CREATE INDEX schedule_runs_age ON clay.schedule_runs USING btree (started_at);

CREATE INDEX schedules_due ON clay.schedules USING btree (next_run_at) WHERE (next_run_at IS NOT NULL);

CREATE INDEX schedules_of_destination ON clay.schedules USING btree (destination_id, org_id) WHERE (destination_id IS NOT NULL);

CREATE INDEX schedules_of_organization ON clay.schedules USING btree (org_id, created_at, id);

CREATE INDEX schedules_of_segment ON clay.schedules USING btree (segment_id, org_id) WHERE (segment_id IS NOT NULL);

CREATE UNIQUE INDEX table_templates_name ON clay.table_templates USING btree (org_id, lower(name));

CREATE INDEX workers_by_age ON clay.workers USING btree (seen_at);

CREATE UNIQUE INDEX workspaces_name ON clay.workspaces USING btree (org_id, lower(name));

CREATE UNIQUE INDEX workspaces_one_default ON clay.workspaces USING btree (org_id) WHERE is_default;

CREATE INDEX workspaces_served ON clay.workspaces USING btree (served_by) WHERE (served_by IS NOT NULL);

CREATE TRIGGER audit_log_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON clay.audit_log FOR EACH STATEMENT EXECUTE FUNCTION clay.audit_log_is_append_only();

CREATE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 AFTER UPDATE OF abort_requested ON clay.procrastinate_jobs FOR EACH ROW WHEN (((old.abort_requested = false) AND (new.abort_requested = true) AND (new.status = 'doing'::clay.procrastinate_job_status))) EXECUTE FUNCTION clay.procrastinate_notify_queue_abort_job_v1();

CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 AFTER INSERT ON clay.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::clay.procrastinate_job_status)) EXECUTE FUNCTION clay.procrastinate_notify_queue_job_inserted_v1();

CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1 AFTER UPDATE OF abort_requested ON clay.procrastinate_jobs FOR EACH ROW WHEN ((new.abort_requested = true)) EXECUTE FUNCTION clay.procrastinate_trigger_abort_requested_events_procedure_v1();

CREATE TRIGGER procrastinate_trigger_delete_jobs_v1 BEFORE DELETE ON clay.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION clay.procrastinate_unlink_periodic_defers_v1();

CREATE TRIGGER procrastinate_trigger_scheduled_events_v1 AFTER INSERT OR UPDATE ON clay.procrastinate_jobs FOR EACH ROW WHEN (((new.scheduled_at IS NOT NULL) AND (new.status = 'todo'::clay.procrastinate_job_status))) EXECUTE FUNCTION clay.procrastinate_trigger_function_scheduled_events_v1();

CREATE TRIGGER procrastinate_trigger_status_events_insert_v1 AFTER INSERT ON clay.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::clay.procrastinate_job_status)) EXECUTE FUNCTION clay.procrastinate_trigger_function_status_events_insert_v1();

CREATE TRIGGER procrastinate_trigger_status_events_update_v1 AFTER UPDATE OF status ON clay.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION clay.procrastinate_trigger_function_status_events_update_v1();

ALTER TABLE ONLY clay.auto_export_runs
    ADD CONSTRAINT auto_export_runs_job_fk FOREIGN KEY (org_id, job_id) REFERENCES clay.push_jobs(org_id, id);

ALTER TABLE ONLY clay.clay_push_log
    ADD CONSTRAINT clay_push_log_job_fk FOREIGN KEY (org_id, job_id) REFERENCES clay.push_jobs(org_id, id);

ALTER TABLE ONLY clay.destination_versions
    ADD CONSTRAINT destination_versions_destination_fk FOREIGN KEY (org_id, destination_id) REFERENCES clay.destinations(org_id, id);

ALTER TABLE ONLY clay.destination_versions
    ADD CONSTRAINT destination_versions_meter_fk FOREIGN KEY (org_id, meter_id) REFERENCES clay.quota_meters(org_id, id);

ALTER TABLE ONLY clay.destinations
    ADD CONSTRAINT destinations_mapping_version FOREIGN KEY (mapping_version_id, org_id) REFERENCES clay.mapping_versions(id, org_id);

ALTER TABLE ONLY clay.destinations
    ADD CONSTRAINT destinations_version_fk FOREIGN KEY (org_id, version_id) REFERENCES clay.destination_versions(org_id, id);

ALTER TABLE ONLY clay.destinations
    ADD CONSTRAINT destinations_workspace_fk FOREIGN KEY (org_id, workspace_id) REFERENCES clay.workspaces(org_id, id);

ALTER TABLE ONLY clay.enriched_current
    ADD CONSTRAINT enriched_current_value FOREIGN KEY (value_id, org_id) REFERENCES clay.enriched_values(id, org_id);

ALTER TABLE ONLY clay.enrichment_items
    ADD CONSTRAINT enrichment_items_job FOREIGN KEY (job_id, org_id) REFERENCES clay.enrichment_jobs(id, org_id);

ALTER TABLE ONLY clay.enrichment_items
    ADD CONSTRAINT enrichment_items_run FOREIGN KEY (run_id, org_id) REFERENCES clay.enrichment_runs(id, org_id);

ALTER TABLE ONLY clay.erased_leads
    ADD CONSTRAINT erased_leads_erasure_fk FOREIGN KEY (org_id, erasure_id) REFERENCES clay.erasures(org_id, id);

ALTER TABLE ONLY clay.exclusions
    ADD CONSTRAINT exclusions_segment_fk FOREIGN KEY (segment_id, org_id) REFERENCES clay.segments(id, org_id);

ALTER TABLE ONLY clay.mapping_versions
    ADD CONSTRAINT mapping_versions_mapping FOREIGN KEY (mapping_id, org_id) REFERENCES clay.mappings(id, org_id);

ALTER TABLE ONLY clay.mirror
    ADD CONSTRAINT mirror_job_fk FOREIGN KEY (org_id, job_id) REFERENCES clay.push_jobs(org_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY clay.procrastinate_events
    ADD CONSTRAINT procrastinate_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES clay.procrastinate_jobs(id) ON DELETE CASCADE;

ALTER TABLE ONLY clay.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES clay.procrastinate_workers(id) ON DELETE SET NULL;

ALTER TABLE ONLY clay.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_job_id_fkey FOREIGN KEY (job_id) REFERENCES clay.procrastinate_jobs(id);

ALTER TABLE ONLY clay.push_jobs
    ADD CONSTRAINT push_jobs_destination_version_fk FOREIGN KEY (org_id, destination_id, destination_version_id) REFERENCES clay.destination_versions(org_id, destination_id, id);

ALTER TABLE ONLY clay.push_jobs
    ADD CONSTRAINT push_jobs_mapping_version FOREIGN KEY (mapping_version_id, org_id) REFERENCES clay.mapping_versions(id, org_id);

ALTER TABLE ONLY clay.push_jobs
    ADD CONSTRAINT push_jobs_retry_of_fk FOREIGN KEY (org_id, retry_of) REFERENCES clay.push_jobs(org_id, id);

ALTER TABLE ONLY clay.results_tokens
    ADD CONSTRAINT results_tokens_endpoint FOREIGN KEY (endpoint_id, org_id) REFERENCES clay.results_endpoints(id, org_id);

ALTER TABLE ONLY clay.routes
    ADD CONSTRAINT routes_destination_fk FOREIGN KEY (destination_id, org_id) REFERENCES clay.destinations(id, org_id);

ALTER TABLE ONLY clay.routes
    ADD CONSTRAINT routes_segment_fk FOREIGN KEY (segment_id, org_id) REFERENCES clay.segments(id, org_id);

ALTER TABLE ONLY clay.schedule_runs
    ADD CONSTRAINT schedule_runs_schedule_fk FOREIGN KEY (schedule_id, org_id) REFERENCES clay.schedules(id, org_id) ON DELETE CASCADE;

ALTER TABLE ONLY clay.schedules
    ADD CONSTRAINT schedules_destination_fk FOREIGN KEY (destination_id, org_id) REFERENCES clay.destinations(id, org_id);

ALTER TABLE ONLY clay.schedules
    ADD CONSTRAINT schedules_segment_fk FOREIGN KEY (segment_id, org_id) REFERENCES clay.segments(id, org_id);
