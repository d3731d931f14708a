-- Atomic Guide (document C) and what SleekApp's own services tell (document E): grades, memberships, content, Canvas and
-- Moodle, transcripts, videos, deep links, orders in production. `source` keeps two configured senders apart, `account`
-- two Canvas accounts. Merged tables carry `versions`: per column the age of its value, so that events may arrive in any
-- order; their columns are nullable, because a deletion may arrive before the creation does.

create table lti_grade (
    source           text             not null,         -- the configured source that told of it
    grade_id         text             not null,         -- gradeId; where the platform sends none, RESOURCE_LINK/USER
    user_id          text,
    resource_link_id text,
    score            double precision,                  -- from 0 to max_score
    max_score        double precision,
    created_at       timestamptz,                       -- null where the creation was never reported
    updated_at       timestamptz,                       -- the newest creation or update
    deleted_at       timestamptz,                       -- marked as deleted; a later update revives it
    versions         jsonb            not null default '{}', -- column to the version of its value
    primary key (source, grade_id)
);
create index lti_grade_user on lti_grade (source, user_id);

create table lti_membership (
    source     text        not null,
    context_id text        not null,                    -- the course
    user_id    text        not null,
    roles      jsonb,                                   -- list of names, e.g. Learner
    added_at   timestamptz,
    updated_at timestamptz,
    removed_at timestamptz,                             -- null while a member
    versions   jsonb       not null default '{}',       -- column to the version of its value
    primary key (source, context_id, user_id)
);
create index lti_membership_user on lti_membership (source, user_id);

create table lti_content (
    source           text        not null,
    content_id       text        not null,
    resource_link_id text,
    title            text,
    url              text,
    created_at       timestamptz,
    updated_at       timestamptz,                       -- the newest creation or update
    deleted_at       timestamptz,                       -- marked as deleted
    versions         jsonb       not null default '{}', -- column to the version of its value
    primary key (source, content_id)
);

create table canvas_assignment (
    source          text        not null,
    account         text        not null,               -- root account's uuid; '' where the event names none
    assignment_id   text        not null,
    course_id       text,
    title           text,
    description     text,                               -- HTML as the teacher wrote it
    points_possible double precision,
    due_at          timestamptz,
    state           text,                               -- workflow_state: published, unpublished, deleted
    created_at      timestamptz,
    updated_at      timestamptz,                        -- the newest event
    versions        jsonb       not null default '{}',  -- column to the version of its value
    primary key (source, account, assignment_id)
);
create index canvas_assignment_course on canvas_assignment (source, account, course_id);

create table canvas_submission (
    source        text        not null,
    account       text        not null,
    submission_id text        not null,
    assignment_id text,
    student_id    text,
    attempt       bigint,                               -- counted by Canvas from 1
    state         text,                                 -- workflow_state: submitted, graded, pending_review …
    score         double precision,
    grade         text,                                 -- as shown: 85, B+, complete
    submitted_at  timestamptz,
    graded_at     timestamptz,
    updated_at    timestamptz,                          -- the newest event
    versions      jsonb       not null default '{}',    -- column to the version of its value
    primary key (source, account, submission_id)
);

-- Where each student stands with each assignment.
create table student_progress (
    source          text        not null,
    account         text        not null,
    student_id      text        not null,
    assignment_id   text        not null,
    submission_id   text,
    submitted_at    timestamptz,
    attempt         bigint,
    score           double precision,
    points_possible double precision,
    grade           text,                               -- as shown
    grader_id       text,
    graded_at       timestamptz,                        -- null while not graded
    versions        jsonb       not null default '{}',  -- column to the version of its value
    primary key (source, account, student_id, assignment_id)
);

-- Where each student stands with each course, by Canvas's module requirements.
create table course_progress (
    source                text        not null,
    account               text        not null,
    student_id            text        not null,
    course_id             text        not null,
    course_name           text,
    requirements          bigint,
    requirements_complete bigint,
    completed_at          timestamptz,
    updated_at            timestamptz,                  -- the newest event
    versions              jsonb       not null default '{}', -- column to the version of its value
    primary key (source, account, student_id, course_id)
);

-- Topics and entries, to be searched: select … where search @@ websearch_to_tsquery('english', 'plant cell').
create table discussion (
    source        text        not null,
    account       text        not null,
    discussion_id text        not null,                 -- topic:ID or entry:ID
    topic_id      text,
    course_id     text,
    author_id     text,
    title         text,                                 -- topics only
    body          text,                                 -- HTML as it was written
    state         text,                                 -- workflow_state
    posted_at     timestamptz,
    updated_at    timestamptz,                          -- the newest event
    -- Tags are no words to the parser; 250,000 characters, because an index entry holds a megabyte at most.
    search        tsvector    generated always as (
        setweight(to_tsvector('english', coalesce(title, '')), 'A')
        || to_tsvector('english', left(coalesce(body, ''), 250000))) stored,
    versions      jsonb       not null default '{}',    -- column to the version of its value
    primary key (source, account, discussion_id)
);
create index discussion_search on discussion using gin (search);

create table moodle_grade (
    source      text             not null,
    site        text             not null,              -- the Moodle's host; '' where it names none
    item_id     text             not null,              -- the grade item
    user_id     text             not null,              -- the student
    course_id   text,
    final_grade double precision,                       -- null: the grade was taken back
    overridden  boolean,                                -- set by hand over what was computed
    grader_id   text,
    graded_at   timestamptz,
    versions    jsonb            not null default '{}', -- column to the version of its value
    primary key (source, site, item_id, user_id)
);

create table moodle_module (
    source      text        not null,
    site        text        not null,
    module_id   text        not null,                   -- the course module
    course_id   text,
    kind        text,                                   -- quiz, assign, forum …
    instance_id text,                                   -- the activity itself
    name        text,
    created_at  timestamptz,
    updated_at  timestamptz,                            -- the newest event
    deleted_at  timestamptz,                            -- marked as deleted
    versions    jsonb       not null default '{}',      -- column to the version of its value
    primary key (source, site, module_id)
);

create table moodle_completion (
    source       text        not null,
    site         text        not null,
    course_id    text        not null,
    module_id    text        not null,                  -- '' for the whole course
    user_id      text        not null,
    state        bigint,                                -- Moodle's: 0 incomplete, 1 complete, 2 passed, 3 failed
    completed_at timestamptz,                           -- null while not complete
    updated_at   timestamptz,                           -- the newest event
    versions     jsonb       not null default '{}',     -- column to the version of its value
    primary key (source, site, course_id, module_id, user_id)
);

create table video (
    source           text             not null,
    video_id         text             not null,
    title            text,
    duration_seconds double precision,
    uploaded_by      text,
    metadata         jsonb,                             -- as the upload told it
    uploaded_at      timestamptz,
    versions         jsonb            not null default '{}', -- column to the version of its value
    primary key (source, video_id)
);

-- Who has to do with a video: the one who uploaded it, and those who were seen with it.
create table video_user (
    source   text        not null,
    video_id text        not null,
    user_id  text        not null,
    role     text        not null,                      -- owner or viewer
    since    timestamptz,                               -- the earliest that is known
    versions jsonb       not null default '{}',         -- column to the version of its value
    primary key (source, video_id, user_id, role)
);
create index video_user_video on video_user (video_id);

create table transcript (
    source           text             not null,
    video_id         text             not null,
    job_id           text,                              -- whose passages are current
    url              text,                              -- where it was fetched from
    format           text,                              -- plain, vtt, srt or json
    content          text,                              -- without times and markup
    confidence       double precision,                  -- the service's own, usually from 0 to 1
    duration_seconds double precision,
    passages         bigint,                            -- how many
    embedding_model  text,                              -- null: passages have no embeddings
    completed_at     timestamptz,
    versions         jsonb            not null default '{}', -- column to the version of its value
    primary key (source, video_id)
);

-- What is searched: by words (`search`), or by nearness of meaning (`embedding`, in the application or with pgvector).
create table transcript_passage (
    source        text             not null,
    job_id        text             not null,
    position      bigint           not null,            -- from 0, in the order of speech
    video_id      text,
    start_seconds double precision,                     -- null where the transcription has no times
    end_seconds   double precision,
    content       text,
    embedding     real[],                               -- null where no endpoint is configured
    search        tsvector         generated always as (to_tsvector('english', coalesce(content, ''))) stored,
    versions      jsonb            not null default '{}', -- column to the version of its value
    primary key (source, job_id, position)
);
create index transcript_passage_search on transcript_passage using gin (search);

-- The passages that count: those of each video's newest transcription.
create view video_passage as
select p.source, p.video_id, p.position, p.start_seconds, p.end_seconds, p.content, p.embedding, p.search
from transcript t join transcript_passage p on p.source = t.source and p.job_id = t.job_id
where p.position < t.passages and p.video_id = t.video_id;

-- Written by the application: what a user has seen.
create table notification_seen (
    user_id text        not null,
    kind    text        not null,
    subject text        not null,                       -- what the notification is about: the job
    seen_at timestamptz not null default now(),
    primary key (user_id, kind, subject)
);

-- A finished transcription is told to the video's owner and to those who had seen the video by then. It follows from the
-- rows, so that it comes out the same whether the upload or the transcription was reported first.
create view notification as
select u.user_id, 'transcription.completed'::text as kind, t.job_id as subject, t.video_id, max(v.title) as title,
    max(t.completed_at) as created_at, max(s.seen_at) as seen_at
from transcript t
    join video_user u on u.video_id = t.video_id and (u.role = 'owner' or u.since <= t.completed_at)
    left join video v on v.video_id = t.video_id
    left join notification_seen s
        on s.user_id = u.user_id and s.kind = 'transcription.completed' and s.subject = t.job_id
group by u.user_id, t.job_id, t.video_id;

create table deep_link (
    source        text        not null,
    link_id       text        not null,
    resource_type text,                                 -- assessment, content or activity
    context_id    text,                                 -- the course
    created_by    text,
    configuration jsonb,                                -- as its creator chose it
    created_at    timestamptz,
    versions      jsonb       not null default '{}',    -- column to the version of its value
    primary key (source, link_id)
);

-- What SleekApp's own services say of an order; what Stripe says of it is in "order".
create table order_progress (
    source     text        not null,
    order_id   text        not null,
    status     text,
    detail     jsonb,                                   -- whatever else the newest update told
    updated_at timestamptz,
    versions   jsonb       not null default '{}',       -- column to the version of its value
    primary key (source, order_id)
);

create table production_stage (
    source     text        not null,
    order_id   text        not null,
    stage      text        not null,                    -- e.g. cutting
    status     text,                                    -- as told, else reached
    detail     jsonb,                                   -- whatever else the newest change told
    changed_at timestamptz,
    versions   jsonb       not null default '{}',       -- column to the version of its value
    primary key (source, order_id, stage)
);

create table production_stage_history (
    event_id   uuid        not null primary key,        -- the event that told of it
    source     text        not null,
    order_id   text        not null,
    stage      text        not null,
    status     text        not null,
    changed_at timestamptz not null
);
create index production_stage_history_order on production_stage_history (source, order_id, changed_at);

create table quality_result (
    source      text        not null,
    result_id   text        not null,                   -- resultId, else the event's id
    order_id    text,
    stage       text,                                   -- where it was inspected
    result      text,                                   -- e.g. passed
    inspector   text,
    detail      jsonb,                                  -- measurements and whatever else was told
    recorded_at timestamptz,
    versions    jsonb       not null default '{}',      -- column to the version of its value
    primary key (source, result_id)
);
create index quality_result_order on quality_result (source, order_id);
