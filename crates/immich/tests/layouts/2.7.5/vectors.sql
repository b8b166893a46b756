-- What needs pgvector.
CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE smart_search (
    "assetId" uuid PRIMARY KEY REFERENCES asset(id) ON DELETE CASCADE,
    embedding vector(512) NOT NULL
);
ALTER TABLE smart_search ALTER COLUMN embedding SET STORAGE EXTERNAL;
CREATE INDEX clip_index ON smart_search USING hnsw (embedding vector_cosine_ops) WITH (ef_construction = 300, m = 16);
