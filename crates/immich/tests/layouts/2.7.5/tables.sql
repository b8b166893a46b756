-- The tables of Immich 2.7.5 that matter here, after descriptions of a real one; stand-ins for functions of extensions that the
-- tests' PostgreSQL lacks. What needs pgvector is in `vectors.sql`.
CREATE FUNCTION uuid_generate_v4() RETURNS uuid LANGUAGE sql VOLATILE AS 'SELECT gen_random_uuid()';
CREATE FUNCTION immich_uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(random()::text), 1, 3) || 'a' || substr(md5(random()::text), 1, 15))::uuid
$$;
CREATE FUNCTION f_unaccent(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT translate($1, 'áàâäãåéèêëíìîïóòôöõúùûüñçÁÀÂÄÃÅÉÈÊËÍÌÎÏÓÒÔÖÕÚÙÛÜÑÇ', 'aaaaaaeeeeiiiiooooouuuuncAAAAAAEEEEIIIIOOOOOUUUUNC')
$$;
CREATE FUNCTION updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW."updatedAt" = clock_timestamp();
    NEW."updateId" = immich_uuid_v7();
    RETURN NEW;
END $$;

CREATE TYPE assets_status_enum AS ENUM ('active', 'trashed', 'deleted');
CREATE TYPE asset_visibility_enum AS ENUM ('archive', 'timeline', 'hidden', 'locked');
CREATE TYPE asset_checksum_algorithm_enum AS ENUM ('sha1', 'sha1-path');
CREATE TYPE sourcetype AS ENUM ('machine-learning', 'exif', 'manual');

CREATE TABLE "user" (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    email varchar NOT NULL DEFAULT '',
    name varchar NOT NULL DEFAULT '',
    "deletedAt" timestamptz
);
CREATE TABLE partner (
    "sharedById" uuid NOT NULL REFERENCES "user"(id) ON DELETE CASCADE,
    "sharedWithId" uuid NOT NULL REFERENCES "user"(id) ON DELETE CASCADE,
    "inTimeline" boolean NOT NULL DEFAULT false,
    PRIMARY KEY ("sharedById", "sharedWithId")
);
CREATE TABLE library (id uuid PRIMARY KEY DEFAULT uuid_generate_v4(), "ownerId" uuid NOT NULL REFERENCES "user"(id) ON DELETE CASCADE);
CREATE TABLE stack (id uuid PRIMARY KEY DEFAULT uuid_generate_v4());

CREATE TABLE asset (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    "deviceAssetId" varchar NOT NULL,
    "ownerId" uuid NOT NULL REFERENCES "user"(id) ON UPDATE CASCADE ON DELETE CASCADE,
    "deviceId" varchar NOT NULL,
    type varchar NOT NULL,
    "originalPath" varchar NOT NULL,
    "fileCreatedAt" timestamptz NOT NULL,
    "fileModifiedAt" timestamptz NOT NULL,
    "isFavorite" boolean NOT NULL DEFAULT false,
    duration varchar,
    checksum bytea NOT NULL,
    "livePhotoVideoId" uuid REFERENCES asset(id) ON UPDATE CASCADE ON DELETE SET NULL,
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "originalFileName" varchar NOT NULL,
    thumbhash bytea,
    "isOffline" boolean NOT NULL DEFAULT false,
    "libraryId" uuid REFERENCES library(id) ON UPDATE CASCADE ON DELETE CASCADE,
    "isExternal" boolean NOT NULL DEFAULT false,
    "deletedAt" timestamptz,
    "localDateTime" timestamptz NOT NULL,
    "stackId" uuid REFERENCES stack(id) ON UPDATE CASCADE ON DELETE SET NULL,
    "duplicateId" uuid,
    status assets_status_enum NOT NULL DEFAULT 'active',
    "updateId" uuid NOT NULL DEFAULT immich_uuid_v7(),
    visibility asset_visibility_enum NOT NULL DEFAULT 'timeline',
    width integer,
    height integer,
    "isEdited" boolean NOT NULL DEFAULT false,
    "checksumAlgorithm" asset_checksum_algorithm_enum NOT NULL DEFAULT 'sha1'
);
CREATE INDEX "asset_fileCreatedAt_idx" ON asset ("fileCreatedAt");
CREATE INDEX "asset_ownerId_idx" ON asset ("ownerId");
CREATE INDEX "asset_updateId_idx" ON asset ("updateId");
CREATE INDEX "asset_id_timeline_notDeleted_idx" ON asset (id) WHERE visibility = 'timeline' AND "deletedAt" IS NULL;
CREATE TRIGGER "asset_updatedAt" BEFORE UPDATE ON asset FOR EACH ROW EXECUTE FUNCTION updated_at();

CREATE TABLE asset_exif (
    "assetId" uuid PRIMARY KEY REFERENCES asset(id) ON DELETE CASCADE,
    make varchar,
    model varchar,
    "exifImageWidth" integer,
    "exifImageHeight" integer,
    "fileSizeInByte" bigint,
    orientation varchar,
    "dateTimeOriginal" timestamptz,
    "modifyDate" timestamptz,
    "lensModel" varchar,
    "fNumber" double precision,
    "focalLength" double precision,
    iso integer,
    latitude double precision,
    longitude double precision,
    city varchar,
    state varchar,
    country varchar,
    description text NOT NULL DEFAULT '',
    fps double precision,
    "exposureTime" varchar,
    "livePhotoCID" varchar,
    "timeZone" varchar,
    "projectionType" varchar,
    rating integer
);
CREATE INDEX "asset_exif_city_idx" ON asset_exif (city);

CREATE TABLE person (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    "ownerId" uuid NOT NULL REFERENCES "user"(id) ON UPDATE CASCADE ON DELETE CASCADE,
    name varchar NOT NULL DEFAULT '',
    "thumbnailPath" varchar NOT NULL DEFAULT '',
    "isHidden" boolean NOT NULL DEFAULT false,
    "birthDate" date,
    "faceAssetId" uuid,
    "isFavorite" boolean NOT NULL DEFAULT false,
    color varchar,
    "updateId" uuid NOT NULL DEFAULT immich_uuid_v7()
);
CREATE TABLE asset_face (
    "assetId" uuid NOT NULL REFERENCES asset(id) ON UPDATE CASCADE ON DELETE CASCADE,
    "personId" uuid REFERENCES person(id) ON UPDATE CASCADE ON DELETE SET NULL,
    "imageWidth" integer NOT NULL DEFAULT 0,
    "imageHeight" integer NOT NULL DEFAULT 0,
    "boundingBoxX1" integer NOT NULL DEFAULT 0,
    "boundingBoxY1" integer NOT NULL DEFAULT 0,
    "boundingBoxX2" integer NOT NULL DEFAULT 0,
    "boundingBoxY2" integer NOT NULL DEFAULT 0,
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    "sourceType" sourcetype NOT NULL DEFAULT 'machine-learning',
    "deletedAt" timestamptz,
    "isVisible" boolean NOT NULL DEFAULT true
);
CREATE INDEX "asset_face_personId_assetId_idx" ON asset_face ("personId", "assetId");

CREATE TABLE asset_file (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    "assetId" uuid NOT NULL REFERENCES asset(id) ON UPDATE CASCADE ON DELETE CASCADE,
    type varchar NOT NULL,
    path varchar NOT NULL,
    "isEdited" boolean NOT NULL DEFAULT false,
    UNIQUE ("assetId", type, "isEdited")
);
CREATE TABLE asset_job_status (
    "assetId" uuid PRIMARY KEY REFERENCES asset(id) ON UPDATE CASCADE ON DELETE CASCADE,
    "facesRecognizedAt" timestamptz,
    "metadataExtractedAt" timestamptz,
    "duplicatesDetectedAt" timestamptz,
    "ocrAt" timestamptz
);
CREATE TABLE asset_ocr (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    "assetId" uuid NOT NULL REFERENCES asset(id) ON UPDATE CASCADE ON DELETE CASCADE,
    x1 real NOT NULL, y1 real NOT NULL, x2 real NOT NULL, y2 real NOT NULL,
    x3 real NOT NULL, y3 real NOT NULL, x4 real NOT NULL, y4 real NOT NULL,
    "boxScore" real NOT NULL,
    "textScore" real NOT NULL,
    text text NOT NULL,
    "isVisible" boolean NOT NULL DEFAULT true
);
CREATE INDEX "asset_ocr_assetId_idx" ON asset_ocr ("assetId");
CREATE TABLE ocr_search (
    "assetId" uuid PRIMARY KEY REFERENCES asset(id) ON UPDATE CASCADE ON DELETE CASCADE,
    text text NOT NULL
);
CREATE TABLE album (id uuid PRIMARY KEY DEFAULT uuid_generate_v4(), "ownerId" uuid NOT NULL REFERENCES "user"(id) ON DELETE CASCADE, "albumName" varchar NOT NULL DEFAULT 'Untitled Album', "deletedAt" timestamptz);
CREATE TABLE album_asset (
    "albumId" uuid NOT NULL REFERENCES album(id) ON DELETE CASCADE,
    "assetId" uuid NOT NULL REFERENCES asset(id) ON UPDATE CASCADE ON DELETE CASCADE,
    PRIMARY KEY ("albumId", "assetId")
);
CREATE TABLE album_user (
    "albumId" uuid NOT NULL REFERENCES album(id) ON UPDATE CASCADE ON DELETE CASCADE,
    "userId" uuid NOT NULL REFERENCES "user"(id) ON UPDATE CASCADE ON DELETE CASCADE,
    role varchar NOT NULL DEFAULT 'editor',
    PRIMARY KEY ("albumId", "userId")
);
CREATE TABLE tag (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(),
    "userId" uuid NOT NULL REFERENCES "user"(id) ON UPDATE CASCADE ON DELETE CASCADE,
    value varchar NOT NULL,
    "parentId" uuid REFERENCES tag(id) ON DELETE CASCADE,
    UNIQUE ("userId", value)
);
CREATE TABLE tag_closure (
    id_ancestor uuid NOT NULL REFERENCES tag(id) ON DELETE CASCADE,
    id_descendant uuid NOT NULL REFERENCES tag(id) ON DELETE CASCADE,
    PRIMARY KEY (id_ancestor, id_descendant)
);
CREATE TABLE tag_asset (
    "assetId" uuid NOT NULL REFERENCES asset(id) ON UPDATE CASCADE ON DELETE CASCADE,
    "tagId" uuid NOT NULL REFERENCES tag(id) ON DELETE CASCADE,
    PRIMARY KEY ("assetId", "tagId")
);
CREATE TABLE system_metadata (key varchar PRIMARY KEY, value jsonb NOT NULL);
