CREATE TABLE jobs (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT NOT NULL UNIQUE,
    plugin  TEXT NOT NULL,
    caller  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    lane    TEXT,
    key     TEXT,
    state   TEXT NOT NULL,
    created INTEGER NOT NULL,
    ended   INTEGER,
    record  TEXT NOT NULL,
    input   TEXT NOT NULL,
    result  TEXT
) STRICT;
CREATE INDEX jobs_of_callers ON jobs (caller, number);
CREATE INDEX jobs_unfinished ON jobs (number) WHERE ended IS NULL;
CREATE INDEX jobs_finished ON jobs (ended) WHERE ended IS NOT NULL;
CREATE INDEX jobs_by_key ON jobs (plugin, caller, key) WHERE key IS NOT NULL;
