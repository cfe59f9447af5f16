-- A file as the first layout has it.
BEGIN TRANSACTION;
CREATE TABLE episodes (
            number INTEGER PRIMARY KEY,
            scope INTEGER NOT NULL REFERENCES scopes,
            id TEXT NOT NULL,
            api_version TEXT NOT NULL,
            api_group TEXT NOT NULL,
            kind TEXT NOT NULL,
            namespace TEXT,
            name TEXT NOT NULL,
            path TEXT NOT NULL,
            change TEXT NOT NULL,
            cause TEXT NOT NULL,
            severity TEXT NOT NULL,
            actors TEXT NOT NULL,
            first_seen TEXT NOT NULL,
            last_seen TEXT NOT NULL,
            ended_at TEXT,
            state TEXT NOT NULL,
            reopened INTEGER NOT NULL,
            seen_with TEXT NOT NULL
        )
        ;
INSERT INTO "episodes" VALUES(1,1,'0000000000000001','v1','','ConfigMap','shop','a','data.x','changed','manual','medium','[["kubectl-edit", "Update", null, "2026-01-01T10:00:00Z"]]','2026-01-01T12:00:00.000Z','2026-01-01T12:00:00.000Z','2026-01-02T12:00:00.000Z','resolved',0,'namespace');
INSERT INTO "episodes" VALUES(2,1,'0000000000000002','v1','','Deployment','shop','b','spec.replicas','changed','manual','medium','[["kubectl-edit", "Update", null, "2026-01-01T10:00:00Z"]]','2026-01-02T12:00:00.000Z','2026-01-03T12:00:00.000Z',NULL,'open',0,'namespace');
INSERT INTO "episodes" VALUES(3,1,'0000000000000001','v1','','ConfigMap','shop','a','data.x','changed','manual','medium','[["kubectl-edit", "Update", null, "2026-01-01T10:00:00Z"]]','2026-01-03T12:00:00.000Z','2026-01-03T12:00:00.000Z',NULL,'open',1,'namespace');
CREATE TABLE scans (
            number INTEGER PRIMARY KEY,
            scope INTEGER NOT NULL REFERENCES scopes,
            at TEXT NOT NULL,
            complete INTEGER NOT NULL,
            open INTEGER NOT NULL,
            new INTEGER NOT NULL,
            resolved INTEGER NOT NULL,
            git_commit TEXT
        )
        ;
INSERT INTO "scans" VALUES(1,1,'2026-01-01T12:00:00.000Z',1,1,1,0,'c0ffee');
INSERT INTO "scans" VALUES(2,1,'2026-01-02T12:00:00.000Z',1,1,1,1,'c0ffee');
INSERT INTO "scans" VALUES(3,1,'2026-01-03T12:00:00.000Z',1,2,1,0,'c0ffee');
CREATE TABLE scopes (
            number INTEGER PRIMARY KEY,
            cluster TEXT NOT NULL,
            name TEXT NOT NULL,
            UNIQUE (cluster, name)
        )
        ;
INSERT INTO "scopes" VALUES(1,'https://prod.example.com','apps');
CREATE INDEX scans_by_time ON scans (scope, at);
CREATE UNIQUE INDEX open_episodes ON episodes (scope, id) WHERE ended_at IS NULL;
CREATE INDEX episodes_by_finding ON episodes (scope, id);
CREATE INDEX episodes_by_end ON episodes (ended_at);
PRAGMA application_id = 1685218932;
PRAGMA user_version = 1;
COMMIT;
