-- From v2.7.5 to what differs in v3.2.
ALTER TABLE asset DROP COLUMN "deviceAssetId", DROP COLUMN "deviceId";
ALTER TABLE asset ALTER COLUMN duration TYPE integer USING NULL;
ALTER TABLE asset_ocr ADD COLUMN "updateId" uuid NOT NULL DEFAULT immich_uuid_v7();
ALTER TABLE asset_face RENAME COLUMN "personId" TO "personGroupId";
ALTER TABLE person RENAME COLUMN id TO "personGroupId";
ALTER TABLE album ADD COLUMN "deletedAt" timestamptz;
CREATE TABLE album_user (
    "albumId" uuid NOT NULL REFERENCES album(id) ON DELETE CASCADE,
    "userId" uuid NOT NULL REFERENCES "user"(id) ON DELETE CASCADE,
    role varchar NOT NULL DEFAULT 'editor',
    PRIMARY KEY ("albumId", "userId")
);
INSERT INTO album_user SELECT id, "ownerId", 'owner' FROM album;
ALTER TABLE album DROP COLUMN "ownerId";
