/* SPDX-License-Identifier: Apache-2.0
 *
 * schema-change.detection: trigger. The log tells of a table's shape only with its next row. Event
 * triggers write a transactional message at the statement's place instead:
 *     "shape OID SUM"   it has this shape from here on
 *     "table OID"       it was dropped
 *     "rewrite OID"     the statement under way computed values of its rows
 * A message has a sum of the shape and not the shape: the reader looks at the system catalog, and
 * takes what it finds when the sum is the same. Otherwise a later statement changed the table
 * again, whose message comes later; rows in between come with their own Relation message.
 *
 * The functions run as the one who changes the table, with a fixed path, and do nothing but write
 * the message. Their schema belongs to a superuser: its owner could put others in their place. */
#include "sources/postgres/ddl_trigger.h"

#include "sources/postgres/session_errors.h"

static const char exists_sql[] = "SELECT count(*) FROM pg_event_trigger WHERE evtenabled IN ('O', "
                                 "'A') AND evtname IN ('millrace_changed', 'millrace_dropped', "
                                 "'millrace_rewritten')";

static const char create_sql[] =
    "BEGIN; SELECT pg_advisory_xact_lock(hashtext('millrace_ddl'));"
    "CREATE SCHEMA IF NOT EXISTS millrace;"
    "DO $$ BEGIN IF EXISTS (SELECT FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner "
    "WHERE n.nspname = 'millrace' AND NOT r.rolsuper) THEN RAISE EXCEPTION "
    "'the schema millrace belongs to another user' USING ERRCODE = '42501'; END IF; END $$;"
    "GRANT USAGE ON SCHEMA millrace TO PUBLIC;"
    "CREATE OR REPLACE FUNCTION millrace.shape(oid) RETURNS text LANGUAGE sql STABLE "
    "SET search_path = pg_catalog AS $$ "
    "SELECT md5(concat_ws(',', c.relnamespace, c.relname, c.relreplident, "
    "(SELECT string_agg(concat_ws(',', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, "
    "a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)), ',' ORDER BY a.attnum) "
    "FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
    "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), "
    "(SELECT string_agg(concat_ws(',', i.indkey, i.indisprimary, i.indisreplident), ',' ORDER BY "
    "i.indexrelid) FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique))) "
    "FROM pg_class c WHERE c.oid = $1 $$;"
    "CREATE OR REPLACE FUNCTION millrace.changed() RETURNS event_trigger LANGUAGE plpgsql "
    "SET search_path = pg_catalog AS $$ BEGIN "
    "PERFORM pg_logical_emit_message(true, 'millrace', format('shape %s %s', o.objid, "
    "millrace.shape(o.objid))) FROM (SELECT DISTINCT e.objid FROM "
    "pg_event_trigger_ddl_commands() e JOIN pg_class c ON c.oid = e.objid WHERE e.classid = "
    "'pg_class'::regclass AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p') o; END $$;"
    "CREATE OR REPLACE FUNCTION millrace.dropped() RETURNS event_trigger LANGUAGE plpgsql "
    "SET search_path = pg_catalog AS $$ BEGIN "
    "PERFORM pg_logical_emit_message(true, 'millrace', format('table %s', e.objid)) "
    "FROM pg_event_trigger_dropped_objects() e WHERE e.classid = 'pg_class'::regclass AND "
    "e.objsubid = 0 AND e.object_type = 'table' AND NOT e.is_temporary; END $$;"
    "CREATE OR REPLACE FUNCTION millrace.rewritten() RETURNS event_trigger LANGUAGE plpgsql "
    "SET search_path = pg_catalog AS $$ BEGIN "
    "IF pg_event_trigger_table_rewrite_reason() & 6 > 0 THEN " /* a default, a column's type */
    "PERFORM pg_logical_emit_message(true, 'millrace', format('rewrite %s', "
    "pg_event_trigger_table_rewrite_oid())); END IF; END $$;"
    "DROP EVENT TRIGGER IF EXISTS millrace_changed, millrace_dropped, millrace_rewritten;"
    "CREATE EVENT TRIGGER millrace_changed ON ddl_command_end WHEN TAG IN ('CREATE TABLE', "
    "'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'COMMENT') EXECUTE FUNCTION "
    "millrace.changed();"
    "CREATE EVENT TRIGGER millrace_dropped ON sql_drop EXECUTE FUNCTION millrace.dropped();"
    "CREATE EVENT TRIGGER millrace_rewritten ON table_rewrite EXECUTE FUNCTION "
    "millrace.rewritten();"
    "COMMIT";

bool ddl_trigger_exists(struct session *connection, bool *exists, struct error *err)
{
    struct arena arena = { 0 };
    struct bytes count;
    bool ok = session_value(connection, exists_sql, &arena, &count, err);
    *exists = ok && bytes_is(count, "3");
    arena_done(&arena);
    return ok;
}

bool ddl_trigger_prepare(struct session *connection, struct error *err)
{
    struct arena arena = { 0 };
    struct result result;
    bool exists;
    if (!ddl_trigger_exists(connection, &exists, err) || exists)
        return exists;
    bool ok = session_query(connection, bytes_from(create_sql), &arena, &result, err);
    arena_done(&arena);
    if (ok)
        return true;
    struct error ignored;
    session_execute(connection, &ignored, "ROLLBACK");
    bool rights = err->code == sqlstate_code("42501");
    return error_context(err,
                         "schema-change.detection is trigger, and the event triggers cannot be "
                         "made%s",
                         rights ? " (start once with a superuser's name, or set it to infer)" : "");
}

bool ddl_trigger_shape(struct session *connection, uint32_t oid, struct arena *arena,
                       struct bytes *out, struct error *err)
{
    struct bytes sql = arena_printf(arena, "SELECT millrace.shape(%u)", oid);
    return session_value(connection, (const char *)sql.data, arena, out, err);
}
