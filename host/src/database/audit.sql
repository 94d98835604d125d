-- One row for each thing that happened, in order. Rows are added and, from the oldest on, taken away; none is changed.
CREATE TABLE rows (
    seq INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    caller TEXT NOT NULL,
    tool TEXT NOT NULL,
    status TEXT NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX rows_by_time ON rows (time);
CREATE INDEX rows_by_caller ON rows (caller, seq);
CREATE INDEX rows_by_tool ON rows (tool, seq);
CREATE INDEX rows_by_status ON rows (status, seq);
CREATE INDEX rows_by_kind ON rows (kind, seq);
-- What came right before the oldest row that is kept.
CREATE TABLE start (seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
INSERT INTO start VALUES (0, zeroblob(32));
