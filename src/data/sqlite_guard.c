/* sqlite_guard.c - annotations become views and triggers.
 *
 * An owned table is shadowed by a temporary view of its own name that shows the caller's rows; writes go to the table itself, where
 * triggers skip other owners' rows and refuse rows that would become another's. A decided column is guarded by triggers in the file, so
 * that no other program can write it either. Triggers look at the row as it was stored (AFTER), except where they make the database skip
 * a row, which only BEFORE can do. */
#include "data/sqlite_db.h"

#include "core/arena.h"

#include <stdio.h>

#define VIA_DEPTH_MAX 4U

struct builder {
    sqlite3 *handle;
    const struct migration_set *set;
    struct arena *arena;
    struct guards *guards;
    struct diags *diags;
    bool good;
};

static bool contains(const limen_str *names, uint32_t count, limen_str name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (str_equal_nocase(names[i], name))
            return true;
    }
    return false;
}

bool guards_is_owned(const struct guards *guards, limen_str table)
{
    return contains(guards->owned, guards->owned_count, table);
}

bool guards_has_table(const struct guards *guards, limen_str table)
{
    return contains(guards->tables, guards->table_count, table);
}

bool guards_has_view(const struct guards *guards, limen_str view)
{
    return contains(guards->views, guards->view_count, view);
}

static void fault(struct builder *builder, const struct annotation *at, limen_str mend, const char *format, limen_str a,
                  limen_str b)
{
    builder->good = false;
    limen_str message = arena_printf(builder->arena, format, LIMEN_STR_ARG(a), LIMEN_STR_ARG(b));
    diags_add_at(builder->diags, at->file, at->line, at->at_column, mend, "%.*s", LIMEN_STR_ARG(message));
}

/* ---- the schema --------------------------------------------------------------------------------------------------------- */

/* Runs a query with one or two texts; the caller finalizes. NULL when it cannot be prepared. */
static sqlite3_stmt *ask(struct builder *builder, const char *sql, limen_str first, limen_str second)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(builder->handle, sql, -1, &stmt, NULL) != SQLITE_OK) {
        builder->good = false;
        diags_add_at(builder->diags, LIMEN_STR("migrations"), 0, 0, LIMEN_STR(""), "%s",
                     sqlite3_errmsg(builder->handle));
        return NULL;
    }
    if (sqlite3_bind_parameter_count(stmt) > 0)
        db_bind_text(stmt, 1, first);
    if (sqlite3_bind_parameter_count(stmt) > 1)
        db_bind_text(stmt, 2, second);
    return stmt;
}

/* Where a table was made, for messages. */
static struct annotation find_create(const struct builder *builder, limen_str table)
{
    for (uint32_t i = 0; i < builder->set->count; i++) {
        const struct migration *migration = &builder->set->items[i];
        for (uint32_t j = 0; j < migration->count; j++) {
            struct sql_lexer lexer;
            sql_lexer_init(&lexer, migration->statements[j].sql);
            struct sql_token token = sql_next_code(&lexer);
            bool is_create = sql_is_word(&token, LIMEN_STR("create"));
            for (int k = 0; k < 5 && is_create; k++) {
                token = sql_next_code(&lexer);
                if (sql_is_name(&token) && str_equal_nocase(sql_name(&token), table))
                    return (struct annotation){ .file = migration->name,
                                                .line = migration->statements[j].line,
                                                .at_column = migration->statements[j].column };
            }
        }
    }
    return (struct annotation){ .file = LIMEN_STR("migrations") };
}

static bool read_tables(struct builder *builder)
{
    struct guards *guards = builder->guards;
    sqlite3_stmt *stmt = ask(
        builder,
        "SELECT name, type, strict, (SELECT count(*) FROM sqlite_schema) FROM pragma_table_list WHERE schema = 'main' "
        "AND type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'limen\\_%' ESCAPE "
        "'\\'",
        LIMEN_STR(""), LIMEN_STR(""));
    while (stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW) {
        if (guards->tables == NULL) {
            size_t most = (size_t)sqlite3_column_int(stmt, 3);
            guards->tables = ARENA_NEW_ARRAY(builder->arena, limen_str, most);
            guards->views = ARENA_NEW_ARRAY(builder->arena, limen_str, most);
            guards->owned = ARENA_NEW_ARRAY(builder->arena, limen_str, most);
            if (guards->tables == NULL || guards->views == NULL || guards->owned == NULL)
                break;
        }
        limen_str name = arena_copy(builder->arena, db_text(stmt, 0));
        if (str_equal(db_text(stmt, 1), LIMEN_STR("view"))) {
            guards->views[guards->view_count++] = name;
            continue;
        }
        guards->tables[guards->table_count++] = name;
        if (sqlite3_column_int(stmt, 2) == 0) {
            struct annotation at = find_create(builder, name);
            fault(builder, &at, LIMEN_STR("end its definition with `) STRICT;`"), "table '%.*s' is not STRICT%.*s",
                  name, LIMEN_STR(""));
        }
    }
    sqlite3_finalize(stmt);
    return builder->good;
}

/* The only column of the table's primary key; "" when it has none or several. */
static limen_str primary_key(struct builder *builder, limen_str table)
{
    sqlite3_stmt *stmt = ask(builder, "SELECT name FROM pragma_table_info(?1) WHERE pk > 0", table, LIMEN_STR(""));
    limen_str name = LIMEN_STR("");
    if (stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW)
        name = arena_copy(builder->arena, db_text(stmt, 0));
    if (stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW)
        name = LIMEN_STR("");
    sqlite3_finalize(stmt);
    return name;
}

/* -1: no such column; 0: may be null; 1: never null. */
static int column_not_null(struct builder *builder, limen_str table, limen_str column)
{
    sqlite3_stmt *stmt = ask(
        builder, "SELECT \"notnull\" FROM pragma_table_xinfo(?1) WHERE name = ?2 COLLATE NOCASE AND hidden = 0", table,
        column);
    int found = stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    return found;
}

static bool refers_to(struct builder *builder, limen_str table, limen_str column, limen_str parent, limen_str key)
{
    sqlite3_stmt *stmt = ask(
        builder,
        "SELECT \"table\", coalesce(\"to\", '') FROM pragma_foreign_key_list(?1) WHERE \"from\" = ?2 COLLATE NOCASE",
        table, column);
    bool found = false;
    while (stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW) {
        limen_str to = db_text(stmt, 1);
        found |= str_equal_nocase(db_text(stmt, 0), parent) && (to.len == 0 || str_equal_nocase(to, key));
    }
    sqlite3_finalize(stmt);
    return found;
}

static bool check_not_null(struct builder *builder, const struct annotation *at, limen_str table, limen_str column)
{
    int not_null = column_not_null(builder, table, column);
    if (not_null < 0)
        fault(builder, at, LIMEN_STR("name a column of the table"), "table '%.*s' has no column '%.*s'", table, column);
    if (not_null == 0)
        fault(builder, at, LIMEN_STR("declare the column NOT NULL"),
              "column '%.*s.%.*s' may be null, so its guard would not hold", table, column);
    return not_null > 0;
}

/* The key of `parent`, to which table.column must refer; "" after a fault. */
static limen_str check_reference(struct builder *builder, const struct annotation *at, limen_str column,
                                 limen_str parent)
{
    if (!guards_has_table(builder->guards, parent)) {
        fault(builder, at, LIMEN_STR("name a table"), "there is no table '%.*s'%.*s", parent, LIMEN_STR(""));
        return LIMEN_STR("");
    }
    limen_str key = primary_key(builder, parent);
    if (key.len > 0 && refers_to(builder, at->table, column, parent, key))
        return key;
    fault(builder, at, LIMEN_STR("add REFERENCES to the column, to a table with a primary key of one column"),
          "column '%.*s' does not refer to the primary key of '%.*s'", column, parent);
    return LIMEN_STR("");
}

/* ---- whose rows --------------------------------------------------------------------------------------------------------- */

static const struct annotation *find_owner(const struct builder *builder, limen_str table)
{
    for (uint32_t i = 0; i < builder->set->annotation_count; i++) {
        const struct annotation *it = &builder->set->annotations[i];
        if (it->kind == ANNOTATION_OWNER && !it->is_gone && str_equal_nocase(it->table, table))
            return it;
    }
    return NULL;
}

/* Checks one owner up to the table that names the account. */
static bool check_owner(struct builder *builder, const struct annotation *owner, uint32_t depth)
{
    if (!guards_has_table(builder->guards, owner->table)) {
        fault(builder, owner, LIMEN_STR("annotate the table that has taken its place"),
              "owned table '%.*s' is not there at the end of the migrations%.*s", owner->table, LIMEN_STR(""));
        return false;
    }
    if (!check_not_null(builder, owner, owner->table, owner->column))
        return false;
    if (owner->parent.len == 0)
        return true;
    const struct annotation *parent = find_owner(builder, owner->parent);
    if (parent == NULL || depth == VIA_DEPTH_MAX) {
        fault(builder, owner, LIMEN_STR("annotate that table with `-- owner: column`"),
              "'%.*s' takes its owner from '%.*s', which has none", owner->table, owner->parent);
        return false;
    }
    return check_reference(builder, owner, owner->column, owner->parent).len > 0
        && check_owner(builder, parent, depth + 1);
}

/* "the row `row` of this table belongs to the caller" */
static void write_belongs(struct builder *builder, struct buf *out, const struct annotation *owner, const char *row,
                          uint32_t depth)
{
    if (owner->parent.len == 0) {
        buf_printf(out, "%s.\"%.*s\" = limen_caller()", row, LIMEN_STR_ARG(owner->column));
        return;
    }
    char parent_row[24];
    snprintf(parent_row, sizeof parent_row, "limen_parent%u", depth);
    limen_str key = primary_key(builder, owner->parent);
    buf_printf(out, "EXISTS (SELECT 1 FROM main.\"%.*s\" AS %s WHERE %s.\"%.*s\" = %s.\"%.*s\" AND ",
               LIMEN_STR_ARG(owner->parent), parent_row, parent_row, LIMEN_STR_ARG(key), row,
               LIMEN_STR_ARG(owner->column));
    write_belongs(builder, out, find_owner(builder, owner->parent), parent_row, depth + 1);
    buf_add_char(out, ')');
}

/* "it belongs to another". Of a row whose parent has just been deleted this is false: the parent's own guard has decided, and the row
 * goes with it by ON DELETE CASCADE. */
static void write_foreign(struct builder *builder, struct buf *out, const struct annotation *owner)
{
    if (owner->parent.len == 0) {
        buf_printf(out, "(OLD.\"%.*s\" = limen_caller()) IS NOT TRUE", LIMEN_STR_ARG(owner->column));
        return;
    }
    limen_str key = primary_key(builder, owner->parent);
    buf_printf(out,
               "EXISTS (SELECT 1 FROM main.\"%.*s\" AS limen_parent WHERE limen_parent.\"%.*s\" = OLD.\"%.*s\" AND (",
               LIMEN_STR_ARG(owner->parent), LIMEN_STR_ARG(key), LIMEN_STR_ARG(owner->column));
    write_belongs(builder, out, find_owner(builder, owner->parent), "limen_parent", 1);
    BUF_ADD(out, ") IS NOT TRUE)");
}

static void write_view(struct builder *builder, struct buf *out, const struct annotation *owner, bool for_writer)
{
    buf_printf(out, "CREATE TEMP VIEW \"%.*s\" AS SELECT * FROM main.\"%.*s\" AS limen_row WHERE %s",
               LIMEN_STR_ARG(owner->table), LIMEN_STR_ARG(owner->table), for_writer ? "limen_unscoped() OR " : "");
    write_belongs(builder, out, owner, "limen_row", 1);
    BUF_ADD(out, ";\n");
}

static void write_triggers(struct builder *builder, struct buf *out, const struct annotation *owner)
{
    static const char *const SKIPPED[] = { "UPDATE", "DELETE" }, *const REFUSED[] = { "INSERT", "UPDATE" };
    for (size_t i = 0; i < 2; i++) {
        buf_printf(
            out, "CREATE TEMP TRIGGER \"limen_skip_%s_%.*s\" BEFORE %s ON main.\"%.*s\" WHEN NOT limen_unscoped() AND ",
            SKIPPED[i], LIMEN_STR_ARG(owner->table), SKIPPED[i], LIMEN_STR_ARG(owner->table));
        write_foreign(builder, out, owner);
        BUF_ADD(out, " BEGIN SELECT RAISE(IGNORE); END;\n");
    }
    for (size_t i = 0; i < 2; i++) {
        buf_printf(
            out,
            "CREATE TEMP TRIGGER \"limen_refuse_%s_%.*s\" AFTER %s ON main.\"%.*s\" WHEN NOT limen_unscoped() AND (",
            REFUSED[i], LIMEN_STR_ARG(owner->table), REFUSED[i], LIMEN_STR_ARG(owner->table));
        write_belongs(builder, out, owner, "NEW", 1);
        BUF_ADD(out, ") IS NOT TRUE BEGIN SELECT RAISE(ABORT, 'limen: another owner''s row'); END;\n");
    }
}

/* A view of the schema reads the tables themselves, past the filter. */
static bool refuse_views_over_owned(struct builder *builder)
{
    sqlite3_stmt *stmt = ask(builder, "SELECT name, sql FROM sqlite_schema WHERE type = 'view'", LIMEN_STR(""),
                             LIMEN_STR(""));
    while (stmt != NULL && sqlite3_step(stmt) == SQLITE_ROW) {
        struct sql_lexer lexer;
        sql_lexer_init(&lexer, db_text(stmt, 1));
        for (struct sql_token token = sql_next_code(&lexer); token.kind != SQL_END; token = sql_next_code(&lexer)) {
            bool may_name = sql_is_name(&token) || token.kind == SQL_STRING;
            if (!may_name || !guards_is_owned(builder->guards, sql_name(&token)))
                continue;
            limen_str name = arena_copy(builder->arena, db_text(stmt, 0)),
                      table = arena_copy(builder->arena, sql_name(&token));
            struct annotation at = find_create(builder, name);
            fault(builder, &at, LIMEN_STR("drop the view and write its SELECT in queries.sql"),
                  "view '%.*s' would show all owners' rows of '%.*s'", name, table);
            break;
        }
    }
    sqlite3_finalize(stmt);
    return builder->good;
}

static bool build_owners(struct builder *builder)
{
    struct buf scoped, writer;
    buf_init(&scoped, builder->arena, 1024);
    buf_init(&writer, builder->arena, 4096);
    for (uint32_t i = 0; i < builder->set->annotation_count; i++) {
        const struct annotation *owner = &builder->set->annotations[i];
        if (owner->kind != ANNOTATION_OWNER || owner->is_gone || !check_owner(builder, owner, 0))
            continue;
        builder->guards->owned[builder->guards->owned_count++] = owner->table;
        write_view(builder, &scoped, owner, /* for_writer= */ false);
        write_view(builder, &writer, owner, /* for_writer= */ true);
        write_triggers(builder, &writer, owner);
    }
    buf_add_char(&scoped, '\0');
    buf_add_char(&writer, '\0');
    builder->guards->scoped_sql = buf_str(&scoped);
    builder->guards->writer_sql = buf_str(&writer);
    return builder->good && !scoped.failed && !writer.failed;
}

/* ---- who decides a column ------------------------------------------------------------------------------------------------ */

static void add_trigger(struct builder *builder, const struct annotation *it, limen_str key, bool is_insert)
{
    struct arena *arena = builder->arena;
    limen_str name = arena_printf(arena, "limen_decided_%.*s_%.*s_%s", LIMEN_STR_ARG(it->table),
                                  LIMEN_STR_ARG(it->column), is_insert ? "insert" : "update");
    limen_str event = is_insert
        ? LIMEN_STR("INSERT")
        : arena_printf(arena, "UPDATE OF \"%.*s\", \"%.*s\"", LIMEN_STR_ARG(it->column), LIMEN_STR_ARG(it->via_column));
    limen_str changed = is_insert
        ? LIMEN_STR("")
        : arena_printf(arena, "(NEW.\"%.*s\" IS NOT OLD.\"%.*s\" OR NEW.\"%.*s\" IS NOT OLD.\"%.*s\") AND ",
                       LIMEN_STR_ARG(it->column), LIMEN_STR_ARG(it->column), LIMEN_STR_ARG(it->via_column),
                       LIMEN_STR_ARG(it->via_column));
    limen_str sql = arena_printf(arena,
                                 "CREATE TRIGGER \"%.*s\" AFTER %.*s ON \"%.*s\" WHEN %.*sNEW.\"%.*s\" IS NOT (SELECT "
                                 "\"%.*s\" FROM \"%.*s\" WHERE \"%.*s\" = NEW.\"%.*s\") "
                                 "BEGIN SELECT RAISE(ABORT, 'limen: %.*s.%.*s is decided by %.*s.%.*s'); END",
                                 LIMEN_STR_ARG(name), LIMEN_STR_ARG(event), LIMEN_STR_ARG(it->table),
                                 LIMEN_STR_ARG(changed), LIMEN_STR_ARG(it->column), LIMEN_STR_ARG(it->decisive),
                                 LIMEN_STR_ARG(it->parent), LIMEN_STR_ARG(key), LIMEN_STR_ARG(it->via_column),
                                 LIMEN_STR_ARG(it->table), LIMEN_STR_ARG(it->column), LIMEN_STR_ARG(it->parent),
                                 LIMEN_STR_ARG(it->decisive));
    builder->good = builder->good && sql.ptr != NULL;
    builder->guards->triggers[builder->guards->trigger_count++] = (struct guard_trigger){ name, sql };
}

static bool build_decisions(struct builder *builder)
{
    builder->guards->triggers = ARENA_NEW_ARRAY(builder->arena, struct guard_trigger,
                                                2 * (size_t)builder->set->annotation_count);
    if (builder->guards->triggers == NULL)
        return false;
    for (uint32_t i = 0; i < builder->set->annotation_count; i++) {
        const struct annotation *it = &builder->set->annotations[i];
        if (it->kind != ANNOTATION_DECIDED || it->is_gone)
            continue;
        if (!guards_has_table(builder->guards, it->table)) {
            fault(builder, it, LIMEN_STR("annotate the table that has taken its place"),
                  "guarded table '%.*s' is not there at the end of the migrations%.*s", it->table, LIMEN_STR(""));
            continue;
        }
        bool good = check_not_null(builder, it, it->table, it->column)
            && check_not_null(builder, it, it->table, it->via_column);
        limen_str key = good ? check_reference(builder, it, it->via_column, it->parent) : LIMEN_STR("");
        if (key.len == 0 || !check_not_null(builder, it, it->parent, it->decisive))
            continue;
        add_trigger(builder, it, key, /* is_insert= */ true);
        add_trigger(builder, it, key, /* is_insert= */ false);
    }
    return builder->good;
}

bool guards_build(sqlite3 *handle, const struct migration_set *set, struct arena *arena, struct guards *ret_guards,
                  struct diags *diags)
{
    struct guards guards = { 0 };
    struct builder builder = {
        .handle = handle, .set = set, .arena = arena, .guards = &guards, .diags = diags, .good = true
    };
    if (!read_tables(&builder) || !build_owners(&builder) || !refuse_views_over_owned(&builder)
        || !build_decisions(&builder))
        return false;
    *ret_guards = guards;
    return true;
}
