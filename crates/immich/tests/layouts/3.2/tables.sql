-- From v3.1 to v3.2: users may share groups of faces, and each has a person of their own in a group.
CREATE TABLE cluster_group (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    name varchar,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    "updateId" uuid NOT NULL DEFAULT immich_uuid_v7()
);
ALTER TABLE "user" ADD COLUMN "clusterGroupId" uuid REFERENCES cluster_group(id) ON UPDATE CASCADE;
UPDATE "user" SET "clusterGroupId" = uuid_generate_v4();
INSERT INTO cluster_group (id) SELECT "clusterGroupId" FROM "user";
ALTER TABLE "user" ALTER COLUMN "clusterGroupId" SET NOT NULL;
CREATE TABLE cluster_group_request (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    "clusterGroupId" uuid NOT NULL REFERENCES cluster_group(id) ON DELETE CASCADE,
    "userId" uuid NOT NULL REFERENCES "user"(id) ON DELETE CASCADE,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    UNIQUE ("clusterGroupId", "userId")
);
CREATE TABLE person_group (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    "clusterGroupId" uuid NOT NULL REFERENCES cluster_group(id) ON UPDATE CASCADE ON DELETE CASCADE,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "createId" uuid NOT NULL DEFAULT immich_uuid_v7(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    "updateId" uuid NOT NULL DEFAULT immich_uuid_v7()
);
-- A group takes over the id of its person, which clients know.
INSERT INTO person_group (id, "clusterGroupId")
SELECT person.id, "clusterGroupId" FROM person JOIN "user" ON "user".id = person."ownerId";
ALTER TABLE person ADD COLUMN "personGroupId" uuid REFERENCES person_group(id) ON UPDATE CASCADE ON DELETE CASCADE;
UPDATE person SET "personGroupId" = id;
ALTER TABLE person ALTER COLUMN "personGroupId" SET NOT NULL;
ALTER TABLE asset_face DROP CONSTRAINT "asset_face_personId_fkey";
ALTER TABLE asset_face RENAME COLUMN "personId" TO "personGroupId";
ALTER TABLE asset_face ADD CONSTRAINT "asset_face_personGroupId_fkey"
    FOREIGN KEY ("personGroupId") REFERENCES person_group(id) ON UPDATE CASCADE ON DELETE SET NULL;
ALTER TABLE person DROP COLUMN id;
ALTER TABLE person ADD PRIMARY KEY ("ownerId", "personGroupId");
