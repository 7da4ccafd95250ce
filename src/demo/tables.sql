-- Nextcloud 32's tables as far as the daemon reads them (specs/nextcloud.md section 7), with four
-- users. alice's home is storage 1; she shares its folder "plans" with bob. carol and dave are for
-- visitors: her home is storage 3, and she shares "trip" with him.
CREATE TABLE oc_mounts (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, storage_id BIGINT NOT NULL, root_id BIGINT NOT NULL, user_id VARCHAR(64) NOT NULL, mount_point VARCHAR(4000) NOT NULL, mount_provider_class VARCHAR(128) DEFAULT NULL);
CREATE INDEX mounts_storage_index ON oc_mounts (storage_id);
CREATE TABLE oc_filecache (fileid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, storage BIGINT DEFAULT 0 NOT NULL, path VARCHAR(4000) DEFAULT NULL);
CREATE TABLE oc_share (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, share_type SMALLINT DEFAULT 0 NOT NULL, share_with VARCHAR(255) DEFAULT NULL, file_source BIGINT DEFAULT NULL);
CREATE INDEX file_source_index ON oc_share (file_source);
CREATE TABLE oc_users (uid VARCHAR(64) DEFAULT '' NOT NULL, password VARCHAR(255) DEFAULT '' NOT NULL, uid_lower VARCHAR(64) DEFAULT '', PRIMARY KEY(uid));
CREATE TABLE oc_authtoken (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, uid VARCHAR(64) DEFAULT '' NOT NULL, login_name VARCHAR(255) DEFAULT '' NOT NULL, password CLOB DEFAULT NULL, token VARCHAR(200) DEFAULT '' NOT NULL, type SMALLINT UNSIGNED DEFAULT 0, last_check INTEGER UNSIGNED DEFAULT 0, expires INTEGER UNSIGNED DEFAULT NULL, version SMALLINT UNSIGNED DEFAULT 1 NOT NULL, password_invalid BOOLEAN DEFAULT 0);
CREATE UNIQUE INDEX authtoken_token_index ON oc_authtoken (token);
CREATE TABLE oc_preferences (userid VARCHAR(64) DEFAULT '' NOT NULL, appid VARCHAR(32) DEFAULT '' NOT NULL, configkey VARCHAR(64) DEFAULT '' NOT NULL, configvalue CLOB DEFAULT NULL, PRIMARY KEY(userid, appid, configkey));
CREATE TABLE oc_twofactor_providers (provider_id VARCHAR(32) NOT NULL, uid VARCHAR(64) NOT NULL, enabled SMALLINT NOT NULL, PRIMARY KEY(provider_id, uid));

-- With account passwords that nobody needs: what is no app password is wrong.
INSERT INTO oc_users (uid, uid_lower, password) VALUES
    ('alice', 'alice', '1|$2y$04$abcdefghijklmnopqrstuulXMadxlojpN69z0BPU/8vxHGYMpf1C2'),
    ('bob', 'bob', '1|$2y$04$abcdefghijklmnopqrstuulXMadxlojpN69z0BPU/8vxHGYMpf1C2'),
    ('carol', 'carol', '1|$2y$04$abcdefghijklmnopqrstuulXMadxlojpN69z0BPU/8vxHGYMpf1C2'),
    ('dave', 'dave', '1|$2y$04$abcdefghijklmnopqrstuulXMadxlojpN69z0BPU/8vxHGYMpf1C2');
INSERT INTO oc_filecache (fileid, storage, path) VALUES (1, 1, ''), (2, 1, 'files'), (11, 1, 'files/diary.txt'), (20, 1, 'files/plans'), (21, 1, 'files/plans/party.txt'), (30, 2, ''), (31, 2, 'files'), (40, 3, ''), (41, 3, 'files'), (50, 3, 'files/trip'), (60, 4, '');
INSERT INTO oc_mounts (storage_id, root_id, user_id, mount_point) VALUES (1, 1, 'alice', '/alice/'), (2, 30, 'bob', '/bob/'), (1, 20, 'bob', '/bob/files/plans/'), (3, 40, 'carol', '/carol/'), (4, 60, 'dave', '/dave/'), (3, 50, 'dave', '/dave/files/trip/');
-- App passwords as sha512(password + secret): see `Person` in people.rs.
INSERT INTO oc_authtoken (uid, login_name, type, version, token) VALUES
    ('alice', 'alice', 1, 2, '476a777b2164346a7a55dcd3eb8044bf8eb2ac6a4fba645280f179a53160152a5d65c4d92bc73c7c6987993e6a6940204989513ba5b0581a4a72d20ca719cf19'),
    ('bob', 'bob', 1, 2, '183cd84b50d417f431e462f091422cb86faa02e3cf1f6c7d06ab2b10f95cf5dbdd2ad4af9f0568f7fb449844344b918e60a344e0f0feebe5f9448509ed1cd012'),
    ('carol', 'carol', 1, 2, 'a3617d520ddf24ad82bce2acd7c488c49361b919ae0b9b415eb70c020c5f15ac27fe458cbe636d9123e6e16907cb73fc7232fff89d917a45747ce6f3f0ac43fd'),
    ('dave', 'dave', 1, 2, 'c38f4ed6a87c0f3be84ef2a5ce0d553e389602530a8259f26288ca8fee308948ef87bfbaf9e7edafe947487e4c03c6cfc86a02c3f0328cefe18bb2a8dc2d2c78');
