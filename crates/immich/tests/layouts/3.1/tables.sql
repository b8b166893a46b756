-- From v2.7.5 to v3.1: no devices, lengths in milliseconds, and an album's owner is one of its users.
ALTER TABLE asset DROP COLUMN "deviceAssetId", DROP COLUMN "deviceId";
ALTER TABLE asset ALTER COLUMN duration TYPE integer USING NULL;
ALTER TABLE asset ALTER COLUMN "checksumAlgorithm" DROP DEFAULT;

CREATE TYPE album_user_role_enum AS ENUM ('editor', 'viewer', 'owner');
ALTER TABLE album_user ALTER COLUMN role DROP DEFAULT;
ALTER TABLE album_user ALTER COLUMN role TYPE album_user_role_enum USING role::album_user_role_enum;
ALTER TABLE album_user ALTER COLUMN role SET DEFAULT 'editor';
INSERT INTO album_user ("albumId", "userId", role) SELECT id, "ownerId", 'owner' FROM album;
ALTER TABLE album DROP COLUMN "ownerId";
CREATE UNIQUE INDEX album_user_unique_owner ON album_user ("albumId") WHERE role = 'owner';

ALTER TABLE asset_ocr ADD COLUMN "updateId" uuid NOT NULL DEFAULT immich_uuid_v7();
CREATE INDEX "asset_ocr_updateId_idx" ON asset_ocr ("updateId");
