-- One row for each thing that happened, in order. Rows are added and, from the oldest on, taken away; none is changed.
CREATE TABLE rows (
    seq INTEGER PRIMARY KEY,
    -- Milliseconds since 1970. Never less than in the row before: what lies between two times lies between two rows.
    time INTEGER NOT NULL,
    -- What it is found by.
    mark INTEGER NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX rows_by_mark ON rows (mark);
-- The few combinations that occur of what rows are found by.
CREATE TABLE marks (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    caller TEXT NOT NULL,
    tool TEXT NOT NULL,
    status TEXT NOT NULL,
    UNIQUE (kind, caller, tool, status)
) STRICT;
-- What came right before the oldest row that is kept.
CREATE TABLE start (seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
INSERT INTO start VALUES (0, zeroblob(32));
CREATE TRIGGER rows_stay BEFORE UPDATE ON rows BEGIN
    SELECT RAISE(ABORT, 'rows are only added');
END;
CREATE TRIGGER rows_go_in_order BEFORE DELETE ON rows WHEN OLD.seq > (SELECT seq FROM start) BEGIN
    SELECT RAISE(ABORT, 'rows are only taken away up to the start');
END;
CREATE TRIGGER marks_stay BEFORE UPDATE ON marks BEGIN
    SELECT RAISE(ABORT, 'marks are only added');
END;
