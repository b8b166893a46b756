-- The configuration that companion.text_search_config = "chinese" (or catalog.text_search_config) names. As the superuser:
--   psql -d immich -f setup.sql
CREATE EXTENSION IF NOT EXISTS zhparser;
CREATE TEXT SEARCH CONFIGURATION chinese (PARSER = zhparser);
-- All kinds of words, English and numbers (e) among them, but no punctuation (u).
ALTER TEXT SEARCH CONFIGURATION chinese
    ADD MAPPING FOR a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, v, w, x, y, z WITH simple;
