/* pg_guard.c - annotations become row-level security and triggers.
 *
 * The running server is one of two roles that own nothing: one sees and writes the rows of the caller whom its transaction names, the
 * other those of everybody, for statements with a `-- scope:`. That they are two roles and not one with a second setting lets PostgreSQL
 * plan the filter as a plain condition, which an index can answer. FORCE holds the owner to it as well.
 *
 * What was put on is noted with what the catalogs then say of it, so that a start finds out with one question whether all of it holds. */
#include "data/pg_schema.h"

#include "core/arena.h"

/* ---- Limen's own ------------------------------------------------------------------------------------------------------------ */

static const char OWN_SQL[] =
    "CREATE SCHEMA IF NOT EXISTS limen;"
    "CREATE TABLE IF NOT EXISTS limen.limen_migrations (name text COLLATE \"C\" PRIMARY KEY, checksum bytea NOT NULL,"
    " applied_at bigint NOT NULL);"
    "CREATE TABLE IF NOT EXISTS limen.limen_guards (wanted text NOT NULL, found text NOT NULL);"
    "CREATE TABLE IF NOT EXISTS limen.limen_credentials (account_id text COLLATE \"C\" PRIMARY KEY,"
    " email text COLLATE \"C\" NOT NULL UNIQUE, password_hash text NOT NULL, roles text NOT NULL,"
    " created_at bigint NOT NULL);"
    "CREATE TABLE IF NOT EXISTS limen.limen_sessions (token_hash bytea PRIMARY KEY, account_id text COLLATE \"C\" NOT"
    " NULL, created_at bigint NOT NULL, seen_at bigint NOT NULL);"
    "CREATE INDEX IF NOT EXISTS limen_sessions_seen ON limen.limen_sessions (seen_at);"
    "CREATE TABLE IF NOT EXISTS limen.limen_api_keys (id text COLLATE \"C\" PRIMARY KEY, secret_hash bytea NOT NULL,"
    " name text NOT NULL, roles text NOT NULL, created_at bigint NOT NULL, revoked_at bigint);"
    "CREATE TABLE IF NOT EXISTS limen.limen_keys (principal text COLLATE \"C\" NOT NULL, key text COLLATE \"C\" NOT"
    " NULL, fingerprint bytea NOT NULL, status bigint NOT NULL, reply bytea NOT NULL, created_at bigint NOT NULL,"
    " PRIMARY KEY (principal, key));"
    "CREATE INDEX IF NOT EXISTS limen_keys_created ON limen.limen_keys (created_at);"
    "CREATE TABLE IF NOT EXISTS limen.limen_outbox (id text COLLATE \"C\" PRIMARY KEY, effect text COLLATE \"C\" NOT"
    " NULL, key text COLLATE \"C\" NOT NULL UNIQUE, params bytea NOT NULL, payload text NOT NULL, principal text NOT"
    " NULL, created_at bigint NOT NULL, state text COLLATE \"C\" NOT NULL CHECK (state IN ('pending', 'sent',"
    " 'answered', 'done', 'dead')), due_at bigint NOT NULL, lease_until bigint NOT NULL, fence bigint NOT NULL,"
    " attempts bigint NOT NULL, sent_at bigint NOT NULL, outcome bigint NOT NULL, object_id text COLLATE \"C\" NOT"
    " NULL, provider_state text NOT NULL, code text NOT NULL, note text NOT NULL);"
    "CREATE INDEX IF NOT EXISTS limen_outbox_due ON limen.limen_outbox (state, due_at);"
    "CREATE INDEX IF NOT EXISTS limen_outbox_object ON limen.limen_outbox (object_id) WHERE object_id <> '';"
    "CREATE OR REPLACE FUNCTION limen.missed() RETURNS integer LANGUAGE plpgsql VOLATILE AS $$ BEGIN"
    " RAISE EXCEPTION 'limen: not exactly one row' USING ERRCODE = '" PG_SQLSTATE_MISS "'; END $$;";

/* Roles belong to the whole server, and so are named after the database. */
static const char ROLES_SQL[] =
    "DO $$ DECLARE role text; BEGIN"
    " FOREACH role IN ARRAY ARRAY['limen_' || current_database(), 'limen_' || current_database() || '_all'] LOOP"
    "  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role) THEN EXECUTE format('CREATE ROLE %I NOLOGIN', role);"
    "  END IF;"
    "  IF NOT pg_has_role(current_user, role, 'MEMBER') THEN EXECUTE format('GRANT %I TO %I', role, current_user);"
    "  END IF;"
    " END LOOP; END $$";

bool pg_guards_prepare(const struct pg_admin *admin)
{
    PGresult *result = PQexec(admin->pg, ROLES_SQL);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!good) {
        limen_str mend = arena_printf(
            admin->arena,
            "as an administrator: CREATE ROLE %.*s NOLOGIN; CREATE ROLE %.*s NOLOGIN; GRANT %.*s, %.*s TO %.*s",
            LIMEN_STR_ARG(admin->caller_role), LIMEN_STR_ARG(admin->scope_role), LIMEN_STR_ARG(admin->caller_role),
            LIMEN_STR_ARG(admin->scope_role), LIMEN_STR_ARG(admin->user));
        (void)pg_fault(admin, result, mend);
    }
    PQclear(result);
    return good && pg_run(admin, OWN_SQL);
}

/* ---- the text of the guards ---------------------------------------------------------------------------------------------------- */

/* What an older version of the annotations has left; in the same transaction the new ones are made. Tables that others have closed stay as
 * they are. */
static const char CLEAR_SQL[] =
    "DO $$ DECLARE it record; BEGIN"
    " FOR it IN SELECT DISTINCT polrelid::regclass AS name FROM pg_policy WHERE polname LIKE 'limen\\_%' LOOP"
    "  EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', it.name); END LOOP;"
    " FOR it IN SELECT polname AS name, polrelid::regclass AS place FROM pg_policy WHERE polname LIKE 'limen\\_%' LOOP"
    "  EXECUTE format('DROP POLICY %I ON %s', it.name, it.place); END LOOP;"
    " FOR it IN SELECT tgname AS name, tgrelid::regclass AS place FROM pg_trigger WHERE NOT tgisinternal AND tgname "
    "LIKE"
    "  'limen\\_%' LOOP EXECUTE format('DROP TRIGGER %I ON %s', it.name, it.place); END LOOP;"
    " FOR it IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'limen'::regnamespace AND proname"
    "  LIKE 'decided\\_%' LOOP EXECUTE format('DROP FUNCTION %s', it.name); END LOOP;"
    " END $$;\n";

/* Tables that the migrations have made are their owner's, and so ours to open. */
static void write_grants(const struct pg_admin *admin, struct buf *out)
{
    limen_str caller = admin->caller_role, scope = admin->scope_role;
    buf_printf(out, "GRANT USAGE ON SCHEMA public, limen TO %.*s, %.*s;\n", LIMEN_STR_ARG(caller),
               LIMEN_STR_ARG(scope));
    buf_printf(out,
               "GRANT SELECT, INSERT, UPDATE, DELETE ON limen.limen_credentials, limen.limen_sessions,"
               " limen.limen_api_keys, limen.limen_keys, limen.limen_outbox TO %.*s, %.*s;\n"
               "GRANT SELECT ON limen.limen_migrations, limen.limen_guards TO %.*s, %.*s;\n",
               LIMEN_STR_ARG(caller), LIMEN_STR_ARG(scope), LIMEN_STR_ARG(caller), LIMEN_STR_ARG(scope));
    BUF_ADD(out,
            "DO $$ DECLARE it record; BEGIN"
            " FOR it IN SELECT oid::regclass AS name, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            "  AND relkind IN ('r', 'p', 'v', 'S') AND pg_has_role(relowner, 'USAGE') LOOP"
            "  EXECUTE format('GRANT %s ON %s TO %I, %I', CASE it.relkind WHEN 'S' THEN 'USAGE' WHEN 'v' THEN 'SELECT'"
            "   ELSE 'SELECT, INSERT, UPDATE, DELETE' END, it.name, 'limen_' || current_database(),"
            "   'limen_' || current_database() || '_all'); END LOOP; END $$;\n");
}

/* The only column of the primary key of the table that the annotation leads to, quoted; ptr NULL after a fault. */
static limen_str key_of(const struct pg_admin *admin, const struct annotation *it)
{
    const char *params[] = { arena_copy(admin->arena, it->parent).ptr };
    limen_str key = params[0] == NULL
        ? (limen_str){ 0 }
        : pg_ask_one(
            admin,
            "SELECT quote_ident(a.attname) FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid"
            " AND a.attnum = i.indkey[0] WHERE i.indrelid = to_regclass('public.' || quote_ident(lower($1)))"
            " AND i.indisprimary AND i.indnkeyatts = 1",
            1, params);
    if (key.ptr == NULL)
        diags_add_at(admin->diags, it->file, it->line, it->at_column,
                     LIMEN_STR("give that table a primary key of one column"),
                     "this leads to a table that has no such key in the database: '%.*s'", LIMEN_STR_ARG(it->parent));
    return key;
}

static const struct annotation *find_owner(const struct migration_set *set, limen_str table)
{
    for (uint32_t i = 0; i < set->annotation_count; i++) {
        const struct annotation *it = &set->annotations[i];
        if (it->kind == ANNOTATION_OWNER && !it->is_gone && str_equal_nocase(it->table, table))
            return it;
    }
    return NULL;
}

/* "this row is the caller's". Behind `via` stands the parent's own policy, which hides the parents of others. OFFSET 0 changes nothing but
 * the plan: without it PostgreSQL may read all of the caller's parents into a hash table to look one up. */
static bool write_condition(const struct pg_admin *admin, const struct annotation *owner, struct buf *out)
{
    if (owner->parent.len == 0) {
        pg_write_name(out, owner->column);
        BUF_ADD(out, " = nullif(current_setting('limen.caller', true), '')");
        return true;
    }
    limen_str key = key_of(admin, owner);
    BUF_ADD(out, "EXISTS (SELECT 1 FROM public.");
    pg_write_name(out, owner->parent);
    buf_printf(out, " AS limen_parent WHERE limen_parent.%.*s = public.", LIMEN_STR_ARG(key));
    pg_write_name(out, owner->table);
    buf_add_char(out, '.');
    pg_write_name(out, owner->column);
    BUF_ADD(out, " OFFSET 0)");
    return key.ptr != NULL;
}

static void write_policy(struct buf *out, const char *name, limen_str table, limen_str role, limen_str condition)
{
    buf_printf(out, "CREATE POLICY %s ON public.", name);
    pg_write_name(out, table);
    buf_printf(out, " TO %.*s USING (%.*s) WITH CHECK (%.*s);\n", LIMEN_STR_ARG(role), LIMEN_STR_ARG(condition),
               LIMEN_STR_ARG(condition));
}

static bool write_owner(const struct pg_admin *admin, const struct annotation *owner, struct buf *out)
{
    struct buf condition;
    buf_init(&condition, admin->arena, 256);
    if (!write_condition(admin, owner, &condition))
        return false;
    BUF_ADD(out, "ALTER TABLE public.");
    pg_write_name(out, owner->table);
    BUF_ADD(out, " ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;\n");
    write_policy(out, "limen_caller", owner->table, admin->caller_role, buf_str(&condition));
    write_policy(out, "limen_scope", owner->table, admin->scope_role, LIMEN_STR("true"));
    /* Their owner: for migrations, and for a decision that is read in a table with an owner. */
    BUF_ADD(out,
            "DO $$ BEGIN EXECUTE (SELECT format('CREATE POLICY limen_migrates ON %s TO %I USING"
            " (current_setting(''limen.migrates'', true) = ''on'')', oid::regclass, pg_get_userbyid(relowner))"
            " FROM pg_class WHERE oid = 'public.");
    pg_write_name(out, owner->table);
    BUF_ADD(out, "'::regclass); END $$;\n");
    return !condition.failed;
}

/* AFTER: the row as it is stored. The function reads a deciding table with an owner as the tables' owner does. */
static bool write_decision(const struct pg_admin *admin, const struct migration_set *set, const struct annotation *it,
                           uint32_t number, struct buf *out)
{
    limen_str key = key_of(admin, it);
    bool is_owned = find_owner(set, it->parent) != NULL;
    buf_printf(out,
               "CREATE FUNCTION limen.decided_%u() RETURNS trigger LANGUAGE plpgsql%s SET search_path = public%s"
               " AS $$ BEGIN IF NEW.",
               number, is_owned ? " SECURITY DEFINER" : "", is_owned ? " SET limen.migrates = 'on'" : "");
    pg_write_name(out, it->column);
    BUF_ADD(out, " IS DISTINCT FROM (SELECT ");
    pg_write_name(out, it->decisive);
    BUF_ADD(out, " FROM public.");
    pg_write_name(out, it->parent);
    buf_printf(out, " WHERE %.*s = NEW.", LIMEN_STR_ARG(key));
    pg_write_name(out, it->via_column);
    buf_printf(out,
               ") THEN RAISE EXCEPTION 'limen: %.*s.%.*s is decided by %.*s.%.*s' USING ERRCODE = '%s'; END IF;"
               " RETURN NULL; END $$;\n",
               LIMEN_STR_ARG(it->table), LIMEN_STR_ARG(it->column), LIMEN_STR_ARG(it->parent),
               LIMEN_STR_ARG(it->decisive), PG_SQLSTATE_DECIDED);
    buf_printf(out, "CREATE TRIGGER limen_decided_%u AFTER INSERT OR UPDATE OF ", number);
    pg_write_name(out, it->column);
    BUF_ADD(out, ", ");
    pg_write_name(out, it->via_column);
    BUF_ADD(out, " ON public.");
    pg_write_name(out, it->table);
    buf_printf(out, " FOR EACH ROW EXECUTE FUNCTION limen.decided_%u();\n", number);
    return key.ptr != NULL;
}

/* All of it; ptr NULL after a fault. */
static limen_str write_guards(const struct pg_admin *admin, const struct migration_set *set)
{
    struct buf out;
    buf_init(&out, admin->arena, 8192);
    buf_add(&out, str_of(CLEAR_SQL));
    write_grants(admin, &out);
    bool good = true;
    for (uint32_t i = 0; i < set->annotation_count && good; i++) {
        const struct annotation *it = &set->annotations[i];
        if (!it->is_gone)
            good = it->kind == ANNOTATION_OWNER ? write_owner(admin, it, &out)
                                                : write_decision(admin, set, it, i, &out);
    }
    buf_add_char(&out, '\0');
    return good && !out.failed ? str_make(out.ptr, out.len - 1) : (limen_str){ 0 };
}

/* ---- do they hold? --------------------------------------------------------------------------------------------------------------- */

/* What the catalogs say of everything that guards rows in the tables that migrations have made; $1: their names, one a line. What else
 * somebody keeps in `public` is not the app's. */
#define FOUND_SQL                                                                                                     \
    "SELECT encode(sha256(convert_to(coalesce(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\"), ''), 'UTF8')), "  \
    "'hex')"                                                                                                          \
    " FROM (SELECT concat_ws(' ', 'policy', c.relname, p.polname, p.polcmd, p.polpermissive, (SELECT "                \
    "string_agg(rolname, ',' ORDER BY rolname)"                                                                       \
    "  FROM pg_roles WHERE oid = ANY (p.polroles)), pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, " \
    "p.polrelid)) AS line"                                                                                            \
    "  FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid WHERE c.relnamespace = 'public'::regnamespace"    \
    "  AND lower(c.relname) = ANY (string_to_array($1, E'\\n'))"                                                      \
    " UNION ALL SELECT concat_ws(' ', 'table', relname, relrowsecurity, relforcerowsecurity, role, right_name, "      \
    "has_table_privilege(role, oid, right_name))"                                                                     \
    "  FROM pg_class, unnest(ARRAY['limen_' || current_database(), 'limen_' || current_database() || '_all']) AS "    \
    "role,"                                                                                                           \
    "  unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS right_name"                                           \
    "  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"                                         \
    "  AND lower(relname) = ANY (string_to_array($1, E'\\n'))"                                                        \
    " UNION ALL SELECT concat_ws(' ', 'trigger', tgrelid::regclass, tgenabled, pg_get_triggerdef(oid)) FROM "         \
    "pg_trigger"                                                                                                      \
    "  WHERE NOT tgisinternal AND tgname LIKE 'limen\\_%'"                                                            \
    " UNION ALL SELECT concat_ws(' ', 'function', proname, prosecdef, proconfig, prosrc) FROM pg_proc"                \
    "  WHERE pronamespace = 'limen'::regnamespace"                                                                    \
    " UNION ALL SELECT concat_ws(' ', 'role', rolname, rolsuper, rolbypassrls, ARRAY(SELECT roleid::regrole::text "   \
    "FROM"                                                                                                            \
    "  pg_auth_members WHERE member = r.oid ORDER BY 1)) FROM pg_roles AS r WHERE rolname IN ('limen_' ||"            \
    "  current_database(), 'limen_' || current_database() || '_all')) AS found"

/* Which version of the texts above this is, and their hash. */
static limen_str note_of(const struct pg_admin *admin, limen_str guards)
{
    const char *params[] = { guards.ptr, OWN_SQL, FOUND_SQL };
    limen_str hash = guards.ptr == NULL
        ? guards
        : pg_ask_one(admin, "SELECT encode(sha256(convert_to($1::text || $2::text || $3::text, 'UTF8')), 'hex')", 3,
                     params);
    return hash.ptr == NULL ? hash : arena_printf(admin->arena, "%u %.*s", PG_GUARDS_VERSION, LIMEN_STR_ARG(hash));
}

static bool is_newer(limen_str note)
{
    int64_t version = 0;
    return str_to_int64(str_cut(&note, ' '), &version) && version > PG_GUARDS_VERSION;
}

/* Names of the tables that the migrations have made, one a line; ptr NULL after a fault. */
static const char *write_tables(const struct pg_admin *admin, const struct migration_set *set)
{
    struct buf out;
    buf_init(&out, admin->arena, 256);
    for (uint32_t i = 0; i < set->count; i++) {
        for (uint32_t j = 0; j < set->items[i].count; j++) {
            limen_str table = set->items[i].statements[j].table;
            char *room = table.len == 0 ? NULL : buf_reserve(&out, table.len + 1);
            if (room == NULL)
                continue;
            out.len += str_lower(table, room).len;
            buf_add_char(&out, '\n');
        }
    }
    buf_add_char(&out, '\0');
    return out.failed ? NULL : out.ptr;
}

static enum migration_stand compare_note(limen_str wanted, const PGresult *notes)
{
    if (PQntuples(notes) != 1)
        return STAND_LOOSE;
    if (is_newer(pg_text(notes, 0, 0)))
        return STAND_AHEAD;
    bool holds = str_equal(pg_text(notes, 0, 0), wanted) && str_equal(pg_text(notes, 0, 1), LIMEN_STR("t"));
    return holds ? STAND_READY : STAND_LOOSE;
}

enum migration_stand pg_guards_compare(const struct pg_admin *admin, const struct migration_set *set)
{
    limen_str wanted = note_of(admin, write_guards(admin, set));
    const char *params[] = { write_tables(admin, set) };
    PGresult *notes = wanted.ptr == NULL || params[0] == NULL
        ? NULL
        : pg_ask(admin, "SELECT wanted, found = (" FOUND_SQL ") FROM limen.limen_guards", 1, params);
    enum migration_stand stand = notes == NULL ? STAND_FAULT : compare_note(wanted, notes);
    PQclear(notes);
    return stand;
}

static bool note_guards(const struct pg_admin *admin, const struct migration_set *set, limen_str guards)
{
    const char *params[] = { write_tables(admin, set), note_of(admin, guards).ptr };
    PGresult *result = params[0] == NULL || params[1] == NULL || !pg_run(admin, "DELETE FROM limen.limen_guards")
        ? NULL
        : pg_ask(admin, "INSERT INTO limen.limen_guards (wanted, found) SELECT $2, (" FOUND_SQL ")", 2, params);
    PQclear(result);
    return result != NULL;
}

/* A role that passes every policy by would make all of them void. */
static bool roles_are_bound(const struct pg_admin *admin)
{
    limen_str bound = pg_ask_one(admin,
                                 "SELECT count(*) = 2 AND NOT bool_or(rolsuper OR rolbypassrls OR EXISTS (SELECT 1 FROM"
                                 " pg_auth_members WHERE member = r.oid)) FROM pg_roles AS r WHERE rolname IN ('limen_'"
                                 " || current_database(), 'limen_' || current_database() || '_all')",
                                 0, NULL);
    return str_equal(bound, LIMEN_STR("t"))
        || pg_refuse(admin, LIMEN_STR("make them plain: NOSUPERUSER NOBYPASSRLS, members of no other role"),
                     "the roles of the running server would pass row-level security by");
}

bool pg_guards_put_on(const struct pg_admin *admin, const struct migration_set *set)
{
    limen_str guards = write_guards(admin, set);
    bool good = guards.ptr != NULL && roles_are_bound(admin) && pg_run(admin, "BEGIN") && pg_run(admin, guards.ptr)
        && note_guards(admin, set, guards) && pg_run(admin, "COMMIT");
    if (!good)
        PQclear(PQexec(admin->pg, "ROLLBACK"));
    return good;
}

bool pg_guards_are_closed(const struct pg_admin *admin, const struct migration_set *set)
{
    for (uint32_t i = 0; i < set->annotation_count; i++) {
        const struct annotation *it = &set->annotations[i];
        if (it->kind != ANNOTATION_OWNER || it->is_gone)
            continue;
        const char *params[] = { arena_copy(admin->arena, it->table).ptr };
        limen_str is_open = params[0] == NULL
            ? (limen_str){ 0 }
            : pg_ask_one(admin,
                         "SELECT count(*) FILTER (WHERE NOT (relrowsecurity AND relforcerowsecurity)) FROM pg_class"
                         " WHERE oid = to_regclass('public.' || quote_ident(lower($1)))",
                         1, params);
        if (str_equal(is_open, LIMEN_STR("0")))
            continue;
        diags_add_at(admin->diags, it->file, it->line, it->at_column,
                     LIMEN_STR("start the newer version of the app, which knows who owns the rows now"),
                     "the database is ahead, and this table's rows have no owner there");
        return false;
    }
    return roles_are_bound(admin);
}
