-- From v2.7.5 to what differs in v3.1.
ALTER TABLE asset DROP COLUMN "deviceAssetId", DROP COLUMN "deviceId";
ALTER TABLE asset ALTER COLUMN duration TYPE integer USING NULL;
ALTER TABLE album DROP COLUMN "ownerId";
ALTER TABLE asset_ocr ADD COLUMN "updateId" uuid NOT NULL DEFAULT immich_uuid_v7();
