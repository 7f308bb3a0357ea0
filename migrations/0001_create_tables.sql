-- The broker's state. Forward only: a later migration expands first and contracts a release later, so that two versions
-- of the program can share the database during a rollout.
--
-- Words: `uid` is a row's own random identity, `id` is what a platform chose. `sealed` columns (bytea) hold secrets that
-- only the vault can open; the vault binds each to its table, row and column.

-- Every accepted version of an offering file. Immutable: an instance pins the one that made it.
CREATE TABLE revision (
    digest      text PRIMARY KEY,                    -- SHA-256 of the source, hex
    service_id  text NOT NULL,
    plan_ids    text[] NOT NULL,
    name        text NOT NULL,                       -- of the offering
    source      text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX revision_by_service ON revision (service_id);

-- Whoever owns resources: an instance or a binding. Here stands what makes one worker act for it at a time.
CREATE TABLE owner (
    uid         uuid PRIMARY KEY,
    kind        text NOT NULL CONSTRAINT owner_kind CHECK (kind IN ('instance', 'binding')),
    platform    text NOT NULL,                       -- claims are fair across platforms
    target      text NOT NULL,                       -- account/region: concurrency is capped per target
    lane        smallint NOT NULL DEFAULT 0,         -- 1: a synchronous request waits for it
    epoch       bigint NOT NULL DEFAULT 0,           -- raised by every claim and every superseding; every write is conditional on it
    run_at      timestamptz,                         -- when the next turn is due; null: nothing to do
    lease_id    uuid,                                -- the turn that holds it; null: nobody, handed back in good order
    lease_until timestamptz
);
CREATE INDEX owner_due ON owner (lane, platform, target, run_at) WHERE run_at IS NOT NULL;
CREATE INDEX owner_leased ON owner (lease_until) WHERE lease_id IS NOT NULL;

CREATE TABLE instance (
    uid                 uuid PRIMARY KEY REFERENCES owner,
    platform            text NOT NULL,
    id                  text NOT NULL,
    service_id          text NOT NULL,
    plan_id             text NOT NULL,
    offering            text NOT NULL,               -- the names of offering and plan, for quotas and people
    plan                text NOT NULL,
    revision            text NOT NULL REFERENCES revision,
    organization        text NOT NULL,
    space               text NOT NULL,
    context             jsonb NOT NULL,
    target              jsonb NOT NULL,              -- account, region, role: pinned when it was made
    parameters          bytea NOT NULL,              -- sealed: what the user gave and what the administrator forced
    maintenance_version text,
    tags                jsonb NOT NULL,              -- the administrator's tags for its resources
    refers_to           uuid[] NOT NULL DEFAULT '{}', -- the instances that its parameters name
    shown               jsonb NOT NULL DEFAULT '{}', -- what a fetch shows besides ids and parameters, as of its last change
    state               text NOT NULL CONSTRAINT instance_state
                        CHECK (state IN ('creating', 'ready', 'failed', 'deleting', 'deleted')),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    ready_at            timestamptz,                 -- when it first could be used; null: never
    deleted_at          timestamptz
);
-- A deleted instance is a tombstone: its id can be used again.
CREATE UNIQUE INDEX instance_id_key ON instance (platform, id) WHERE state <> 'deleted';
CREATE INDEX instance_by_id ON instance (platform, id);
CREATE INDEX instance_by_space ON instance (platform, organization, space) WHERE state <> 'deleted';
CREATE INDEX instance_refers_to ON instance USING gin (refers_to) WHERE refers_to <> '{}';

CREATE TABLE binding (
    uid         uuid PRIMARY KEY REFERENCES owner,
    instance    uuid NOT NULL REFERENCES instance,
    id          text NOT NULL,
    service_id  text NOT NULL,
    plan_id     text NOT NULL,
    revision    text NOT NULL REFERENCES revision,
    context     jsonb NOT NULL,
    app_guid    text,
    route       text,
    predecessor text,                                -- the binding it rotates
    parameters  bytea NOT NULL,                      -- sealed, as an instance's
    refers_to   uuid[] NOT NULL DEFAULT '{}',        -- as an instance's
    answer      bytea,                               -- sealed: credentials, endpoints and metadata as the platform gets them
    state       text NOT NULL CONSTRAINT binding_state
                CHECK (state IN ('creating', 'ready', 'failed', 'deleting', 'deleted')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    deleted_at  timestamptz
);
CREATE UNIQUE INDEX binding_id_key ON binding (instance, id) WHERE state <> 'deleted';
CREATE INDEX binding_by_id ON binding (instance, id);
CREATE INDEX binding_refers_to ON binding USING gin (refers_to) WHERE refers_to <> '{}';

-- One provision, update, deprovision, bind or unbind; `refresh` and `cleanup` are ours (see engine).
CREATE TABLE operation (
    id                  uuid PRIMARY KEY,
    owner               uuid NOT NULL REFERENCES owner ON DELETE CASCADE,
    kind                text NOT NULL CONSTRAINT operation_kind CHECK (kind IN
                        ('provision', 'update', 'deprovision', 'bind', 'unbind', 'refresh', 'cleanup')),
    state               text NOT NULL DEFAULT 'in progress' CONSTRAINT operation_state CHECK (state IN
                        ('in progress', 'succeeded', 'failed', 'superseded')),
    phase               text NOT NULL DEFAULT 'check' CONSTRAINT operation_phase CHECK (phase IN
                        ('check', 'forward', 'bindings', 'undo')),
    description         text NOT NULL,               -- the newest event in words
    retry_after         integer NOT NULL DEFAULT 1,  -- seconds; the driver's own estimate
    -- What an update makes of the instance once it has succeeded.
    plan_id             text,
    plan                text,
    revision            text REFERENCES revision,
    parameters          bytea,                       -- sealed
    maintenance_version text,
    context             jsonb,
    refers_to           uuid[],
    instance_usable     boolean,
    update_repeatable   boolean,
    actor               jsonb,                       -- the platform user who asked, as OSB's originating identity
    reason              text,                        -- why it is being undone, for the final description
    class               text,                        -- of the last fault
    attempts            integer NOT NULL DEFAULT 0,  -- of finishing it, beyond its resources' own
    created_at          timestamptz NOT NULL DEFAULT now(),
    deadline            timestamptz NOT NULL,
    finished_at         timestamptz
);
CREATE UNIQUE INDEX operation_live_key ON operation (owner) WHERE state = 'in progress';
CREATE INDEX operation_by_owner ON operation (owner, created_at DESC);
CREATE INDEX operation_refers_to ON operation USING gin (refers_to) WHERE state = 'in progress' AND refers_to <> '{}';

-- One external thing.
CREATE TABLE resource (
    uid            uuid PRIMARY KEY,
    owner          uuid NOT NULL REFERENCES owner,
    key            text NOT NULL,                    -- bucket, node_groups["blue"]
    kind           text NOT NULL,
    name           text NOT NULL,                    -- committed before the first call
    generation     integer NOT NULL DEFAULT 0,       -- of the name: a global one that was taken is replaced
    depends_on     text[] NOT NULL,
    serial         text,                             -- one at a time within the group
    retain         boolean NOT NULL DEFAULT false,   -- a deprovision leaves it in AWS
    state          text NOT NULL CONSTRAINT resource_state CHECK (state IN
                   ('planned', 'creating', 'ready', 'updating', 'deleting', 'retained', 'abandoned')),
    desired        jsonb,                            -- secret leaves are references into desired_secrets
    desired_secrets bytea,                           -- sealed
    handle         jsonb,
    outputs        jsonb,                            -- secret ones are references into output_secrets
    output_secrets bytea,                            -- sealed
    attempts       integer NOT NULL DEFAULT 0,       -- faults in a row
    run_at         timestamptz NOT NULL DEFAULT now(),
    class          text,                             -- of the last fault
    message        text,                             -- of the last fault or wait, in words
    detail         text,                             -- what AWS said, for operators
    started_at     timestamptz,
    place          bigint GENERATED ALWAYS AS IDENTITY,  -- the order in which they were planned
    CONSTRAINT resource_key_key UNIQUE (owner, key)
);

-- Append-only: every step of every operation.
CREATE TABLE event (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    owner     uuid NOT NULL,
    operation uuid NOT NULL,
    actor     text NOT NULL,                         -- platform name, `engine` or `operator`
    what      text NOT NULL,                         -- accepted, resource ready, resource fault, succeeded, …
    resource  text,                                  -- its key
    message   text NOT NULL,
    detail    text,
    took_ms   bigint                                 -- since the step began
);
CREATE INDEX event_by_owner ON event (owner, id);

-- The vault's ring keys, wrapped by the master key.
CREATE TABLE ring_key (
    id         uuid PRIMARY KEY,
    wrapped    bytea NOT NULL,
    master     text NOT NULL,                        -- which master key wrapped it
    state      text NOT NULL CONSTRAINT ring_key_state CHECK (state IN ('pending', 'active', 'retired')),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX ring_key_active_key ON ring_key (state) WHERE state = 'active';

-- Who is running: a new ring key is used once every replica holds it, and a revision is in force while one serves it.
CREATE TABLE replica (
    id         uuid PRIMARY KEY,
    host       text NOT NULL,
    version    text NOT NULL,
    ring_keys  uuid[] NOT NULL,                      -- those it can open values of
    seals_with uuid NOT NULL,                        -- the one it seals new values under: it must not be forgotten
    revisions  text[] NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);
