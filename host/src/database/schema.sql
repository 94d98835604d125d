CREATE TABLE documents (
    plugin     TEXT NOT NULL,
    collection TEXT NOT NULL,
    key        TEXT NOT NULL,
    document   TEXT NOT NULL,
    PRIMARY KEY (plugin, collection, key)
) STRICT, WITHOUT ROWID;
