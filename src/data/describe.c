/* describe.c - what each statement gives back, found by preparing it against the migrated schema in memory.
 *
 * Three connections as at run time: a statement is prepared where it will run, with the guards on, so what would be refused there is
 * refused here, with its line. A column's type comes from its table; `-- returns:` types expressions, and may say more of a column than
 * SQLite's types can (bool, time, json). */
#include "data/sqlite_db.h"

#include "core/arena.h"

struct describer {
    struct query_set *queries;
    struct arena *arena;
    struct diags *diags;
    const struct guards *guards;
    struct db *db;
    sqlite3_stmt *stmt;
};

static bool fault(const struct describer *describer, const struct statement *statement, limen_str mend,
                  const char *message, limen_str what)
{
    diags_add_at(describer->diags, describer->queries->file, statement->sql_line, statement->sql_column, mend,
                 "statement '%.*s': %s%s%.*s%s", LIMEN_STR_ARG(statement->name), message, what.len > 0 ? " '" : "",
                 LIMEN_STR_ARG(what), what.len > 0 ? "'" : "");
    return false;
}

/* ---- does the kind fit? ----------------------------------------------------------------------------------------------- */

static bool check_kind(const struct describer *describer, const struct statement *statement)
{
    limen_str none = LIMEN_STR("");
    bool is_read = statement_is_read(statement), gives_rows = sqlite3_column_count(describer->stmt) > 0;
    if (statement->kind == STATEMENT_EFFECT)
        return sqlite3_stmt_readonly(describer->stmt)
            || fault(describer, statement, LIMEN_STR("write what is sent as a SELECT of one row"),
                     "it writes, but an effect's statement only says what is sent", none);
    if (is_read && !sqlite3_stmt_readonly(describer->stmt))
        return fault(describer, statement, LIMEN_STR("make it :exec, :must or :returning"),
                     "it writes, but :one and :many read", none);
    if (!is_read && sqlite3_stmt_readonly(describer->stmt))
        return fault(describer, statement, LIMEN_STR("make it :one or :many"), "it writes nothing", none);
    if (statement->kind == STATEMENT_RETURNING && !gives_rows)
        return fault(describer, statement, LIMEN_STR("add RETURNING, or make it :exec or :must"),
                     "a :returning gives no row", none);
    if (!is_read && statement->kind != STATEMENT_RETURNING && gives_rows)
        return fault(describer, statement, LIMEN_STR("make it :returning, or remove RETURNING"),
                     "nobody reads its rows", none);
    if (!is_read && statement->declared_count > 0 && !gives_rows)
        return fault(describer, statement, LIMEN_STR("remove `-- returns:`"), "it gives no rows", none);
    return true;
}

/* ---- may a column be null although its table says no? ------------------------------------------------------------------- */

/* True when the text has an outer join, a compound, or a SELECT inside a result list: then a column that its table keeps from null may
 * be null. Guessing on the safe side is enough, for `-- returns:` decides. */
static bool may_lose_not_null(limen_str sql)
{
    static const limen_str WORDS[] = { LIMEN_STR_INIT("left"),  LIMEN_STR_INIT("right"),     LIMEN_STR_INIT("full"),
                                       LIMEN_STR_INIT("union"), LIMEN_STR_INIT("intersect"), LIMEN_STR_INIT("except") };
    bool in_list[64] = { false };
    uint32_t depth = 0;
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, sql);
    for (;;) {
        struct sql_token token = sql_next_code(&lexer);
        if (token.kind == SQL_END)
            return false;
        for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
            if (sql_is_word(&token, WORDS[i]))
                return true;
        }
        if (sql_is_sign(&token, '(') && ++depth == sizeof in_list)
            return true;
        depth -= sql_is_sign(&token, ')') && depth > 0;
        if (sql_is_sign(&token, '('))
            in_list[depth] = false;
        if (sql_is_word(&token, LIMEN_STR("from")))
            in_list[depth] = false;
        if (sql_is_word(&token, LIMEN_STR("returning")))
            in_list[depth] = true;
        if (sql_is_word(&token, LIMEN_STR("select"))) {
            if (depth > 0 && in_list[depth - 1])
                return true;
            in_list[depth] = true;
        }
    }
}

/* ---- columns -------------------------------------------------------------------------------------------------------------- */

static const struct statement_column *find_declared(const struct statement *statement, limen_str name)
{
    for (uint32_t i = 0; i < statement->declared_count; i++) {
        if (str_equal(statement->declared[i].name, name))
            return &statement->declared[i];
    }
    return NULL;
}

/* The type of a STRICT table's column; false for ANY and for expressions. */
static bool stored_type(const char *declared, enum limen_type *ret_type)
{
    static const struct {
        const char *name;
        enum limen_type type;
    } TYPES[] = {
        { "INTEGER", LIMEN_TYPE_INT }, { "INT", LIMEN_TYPE_INT },    { "TEXT", LIMEN_TYPE_TEXT },
        { "REAL", LIMEN_TYPE_FLOAT },  { "BLOB", LIMEN_TYPE_BYTES },
    };
    for (size_t i = 0; declared != NULL && i < sizeof TYPES / sizeof TYPES[0]; i++) {
        if (str_equal_nocase(str_of(declared), str_of(TYPES[i].name))) {
            *ret_type = TYPES[i].type;
            return true;
        }
    }
    return false;
}

/* What a declared type is stored as. */
static enum limen_type stored_as(enum limen_type type)
{
    switch (type) {
    case LIMEN_TYPE_BOOL:
    case LIMEN_TYPE_TIME:
        return LIMEN_TYPE_INT;
    case LIMEN_TYPE_JSON:
        return LIMEN_TYPE_TEXT;
    default:
        return type;
    }
}

/* Asks the table behind result column `at`. False when it is an expression. */
static bool table_column(const struct describer *describer, const struct statement *statement, int at,
                         struct statement_column *ret_column)
{
    const char *table = sqlite3_column_table_name(describer->stmt, at),
               *origin = sqlite3_column_origin_name(describer->stmt, at);
    const char *declared = sqlite3_column_decltype(describer->stmt, at), *collation = NULL;
    int not_null = 0, is_key = 0, is_auto = 0;
    if (table == NULL || origin == NULL || !stored_type(declared, &ret_column->type))
        return false;
    bool is_known = sqlite3_table_column_metadata(describer->db->handle, "main", table, origin, NULL, &collation,
                                                  &not_null, &is_key, &is_auto)
        == SQLITE_OK;
    bool never_null = is_known && (not_null != 0 || (is_key != 0 && ret_column->type == LIMEN_TYPE_INT));
    ret_column->is_nullable = !never_null || may_lose_not_null(statement->sql);
    return true;
}

static bool is_plain_name(limen_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (i > 0 && (c == '_' || (c >= '0' && c <= '9')))))
            return false;
    }
    return name.len > 0;
}

static bool describe_column(const struct describer *describer, struct statement *statement, int at)
{
    struct statement_column *column = &statement->columns[at], found = { 0 };
    limen_str name = arena_copy(describer->arena, str_of(sqlite3_column_name(describer->stmt, at)));
    if (!is_plain_name(name))
        return fault(describer, statement, LIMEN_STR("name it: `… AS total` (lower-case letters, digits, underscores)"),
                     "a result column has no plain name:", name);
    for (int i = 0; i < at; i++) {
        if (str_equal(statement->columns[i].name, name))
            return fault(describer, statement, LIMEN_STR("rename one with AS"), "two result columns are named", name);
    }
    const struct statement_column *declared = find_declared(statement, name);
    bool has_table = table_column(describer, statement, at, &found);
    if (!has_table && declared == NULL)
        return fault(describer, statement,
                     arena_printf(describer->arena, "add `-- returns: %.*s int` (or its type) below the name line",
                                  LIMEN_STR_ARG(name)),
                     "no table gives a type to", name);
    if (has_table && declared != NULL && stored_as(declared->type) != found.type)
        return fault(describer, statement,
                     LIMEN_STR("bool, time and int are INTEGER; text and json are TEXT; float is REAL; bytes are BLOB"),
                     "`-- returns:` does not fit the table's type of", name);
    *column = declared != NULL ? *declared : found;
    column->name = name;
    return true;
}

static bool describe_columns(const struct describer *describer, struct statement *statement)
{
    int count = sqlite3_column_count(describer->stmt);
    statement->columns = ARENA_NEW_ARRAY(describer->arena, struct statement_column, (size_t)count);
    if (statement->columns == NULL)
        return fault(describer, statement, LIMEN_STR(""), "memory is out", LIMEN_STR(""));
    for (int i = 0; i < count; i++) {
        if (!describe_column(describer, statement, i))
            return false;
    }
    statement->column_count = (uint32_t)count;
    for (uint32_t i = 0; i < statement->declared_count; i++) {
        bool found = false;
        for (int j = 0; j < count; j++)
            found |= str_equal(statement->columns[j].name, statement->declared[i].name);
        if (!found)
            return fault(describer, statement, LIMEN_STR("remove it from `-- returns:`"), "there is no result column",
                         statement->declared[i].name);
    }
    return true;
}

/* ---- effects -------------------------------------------------------------------------------------------------------------- */

static bool is_note(enum limen_type type)
{
    return type == LIMEN_TYPE_TEXT || type == LIMEN_TYPE_INT;
}

/* Every column is one that the action knows, in its type, or a note. */
static bool check_sent(const struct describer *describer, const struct statement *statement, uint32_t *ret_notes)
{
    for (uint32_t i = 0; i < statement->column_count; i++) {
        const struct statement_column *column = &statement->columns[i];
        const struct effect_column *known = effect_find_column(statement->action, column->name);
        if (known == NULL ? !is_note(column->type) : column->type != known->type)
            return fault(describer, statement,
                         LIMEN_STR("amounts are int in the smallest unit, all else is text; notes are text or int"),
                         "the target cannot be sent this column in its type:", column->name);
        if (known != NULL && known->is_needed && column->is_nullable)
            return fault(describer, statement,
                         LIMEN_STR("make it one that is never null: COALESCE, and `-- returns:` with its type"),
                         "the target must be sent this column, which may be null:", column->name);
        *ret_notes += known == NULL;
    }
    return true;
}

static bool check_effect(const struct describer *describer, const struct statement *statement)
{
    const struct effect_action *action = statement->action;
    uint32_t notes = 0;
    if (!check_sent(describer, statement, &notes))
        return false;
    if (notes > LIMIT_EFFECT_NOTES)
        return fault(describer, statement, LIMEN_STR("40 are the most; leave some out"), "it has too many columns",
                     LIMEN_STR(""));
    for (uint32_t i = 0; i < action->column_count; i++) {
        bool is_there = !action->columns[i].is_needed;
        for (uint32_t j = 0; j < statement->column_count; j++)
            is_there |= str_equal(statement->columns[j].name, action->columns[i].name);
        if (!is_there)
            return fault(describer, statement, LIMEN_STR("add it to the SELECT, with AS"),
                         "the target must be sent a column", action->columns[i].name);
    }
    return true;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------- */

static bool describe_statement(struct describer *describer, struct db *dbs, struct statement *statement)
{
    struct prepared prepared = { 0 };
    describer->db = &dbs[statement_db(statement)];
    if (!statement_prepare(describer->db, describer->queries, statement, describer->arena, &prepared, describer->diags))
        return false;
    describer->stmt = prepared.stmt;
    bool good = check_kind(describer, statement) && describe_columns(describer, statement)
        && (statement->kind != STATEMENT_EFFECT || check_effect(describer, statement));
    sqlite3_finalize(prepared.stmt);
    return good;
}

static bool open_all(struct db *dbs, const struct migration_set *set, struct guards *guards, struct arena *arena,
                     struct diags *diags)
{
    for (int kind = DB_SCOPED; kind <= DB_WRITER; kind++) {
        struct db *db = &dbs[kind];
        if (!db_open(db, DB_PLAIN, ":memory:", /* is_read_only= */ false)) {
            diags_add_at(diags, LIMEN_STR(":memory:"), 0, 0, LIMEN_STR(""), "%s", db->denied);
            return false;
        }
        if (sqlite_apply(db, set, diags) != STAND_READY)
            return false;
        if (kind == DB_SCOPED && !guards_build(db->handle, set, arena, guards, diags))
            return false;
        if (!sqlite_sync_triggers(db, guards, diags))
            return false;
        db->kind = (enum db_kind)kind;
        if (!db_guard(db, guards)) {
            diags_add_at(diags, LIMEN_STR("migrations"), 0, 0, LIMEN_STR(""), "the guards cannot be put on: %s",
                         db->denied);
            return false;
        }
    }
    return true;
}

/* Describes SQLite's text of the statement, whichever back end will run it. */
static bool describe_shadow(struct describer *describer, struct db *dbs, struct statement *statement)
{
    struct statement shadow = *statement;
    shadow.sql = statement->sqlite_sql;
    shadow.sql_line = statement->sqlite_line;
    shadow.sql_column = statement->sqlite_column;
    if (shadow.sql.len == 0)
        return fault(describer, statement, LIMEN_STR("write SQLite's too, below `-- on: sqlite`"),
                     "it has no text for SQLite, which describes its columns", LIMEN_STR(""));
    bool good = describe_statement(describer, dbs, &shadow);
    statement->columns = shadow.columns;
    statement->column_count = shadow.column_count;
    return good;
}

bool store_describe(struct query_set *queries, const struct limen_file *migrations, size_t migration_count,
                    struct arena *arena, struct diags *diags)
{
    struct migration_set set;
    struct guards guards = { 0 };
    struct db dbs[DB_WRITER + 1] = { 0 };
    if (!migrations_parse(migrations, migration_count, LIMEN_STR("sqlite"), arena, &set, diags))
        return false;
    struct describer describer = { .queries = queries, .arena = arena, .diags = diags, .guards = &guards };
    bool good = open_all(dbs, &set, &guards, arena, diags);
    for (uint32_t i = 0; i < queries->count && dbs[DB_WRITER].guards != NULL; i++)
        good = describe_shadow(&describer, dbs, &queries->statements[i]) && good;
    for (int kind = DB_PLAIN; kind <= DB_WRITER; kind++)
        db_close(&dbs[kind]);
    return good;
}
