/* migrate.c - splits migrations into statements.
 *
 * A statement ends at its `;`, a trigger's at the `;` behind its END. What would reach outside the migration's own transaction
 * or past the guards (PRAGMA, ATTACH, a schema's name, conflict clauses that skip triggers) is refused here. */
#include "data/migrate.h"

#include "core/arena.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct splitter {
    struct sql_lexer lexer;
    limen_str file, backend;
    struct arena *arena;
    struct diags *diags;
    struct sql_token *tokens;
    uint32_t count, capacity;
};

static bool fault(const struct splitter *splitter, const struct sql_token *token, limen_str mend, const char *message)
{
    diags_add_at(splitter->diags, splitter->file, token->line, token->column, mend, "%s", message);
    return false;
}

static bool push(struct splitter *splitter, const struct sql_token *token)
{
    if (splitter->count == splitter->capacity) {
        uint32_t capacity = splitter->capacity == 0 ? 256 : splitter->capacity * 2;
        struct sql_token *tokens = ARENA_NEW_ARRAY(splitter->arena, struct sql_token, capacity);
        if (tokens == NULL)
            return fault(splitter, token, LIMEN_STR(""), "memory is out");
        if (splitter->count > 0)
            memcpy(tokens, splitter->tokens, splitter->count * sizeof *tokens);
        splitter->tokens = tokens;
        splitter->capacity = capacity;
    }
    splitter->tokens[splitter->count++] = *token;
    return true;
}

static const struct sql_token *code_token(const struct splitter *splitter, uint32_t first, uint32_t number)
{
    static const struct sql_token NONE = { 0 };
    for (uint32_t i = first; i < splitter->count; i++) {
        if (splitter->tokens[i].kind != SQL_COMMENT && number-- == 0)
            return &splitter->tokens[i];
    }
    return &NONE;
}

static bool is_trigger(const struct splitter *splitter, uint32_t first)
{
    return sql_is_word(code_token(splitter, first, 0), LIMEN_STR("create"))
        && sql_is_word(code_token(splitter, first, 1), LIMEN_STR("trigger"));
}

/* The back end that `-- on:` names above the statement, or "". */
static bool read_variant(const struct splitter *splitter, uint32_t first, limen_str *ret_backend)
{
    *ret_backend = LIMEN_STR("");
    for (uint32_t i = 0; i < first; i++) {
        limen_str word, rest;
        if (!sql_directive(&splitter->tokens[i], &word, &rest) || !str_equal(word, LIMEN_STR("on")))
            continue;
        *ret_backend = rest;
        if (!str_equal(rest, LIMEN_STR("sqlite")) && !str_equal(rest, LIMEN_STR("postgresql")))
            return fault(splitter, &splitter->tokens[i], LIMEN_STR("write `-- on: sqlite` or `-- on: postgresql`"),
                         "no such back end");
    }
    return true;
}

/* True when the `;` just read ends the statement: inside SQLite's trigger only one that stands behind `; END`. */
static bool is_end(const struct splitter *splitter, uint32_t first, const struct sql_token *before,
                   const struct sql_token *before_that)
{
    limen_str variant;
    if (!is_trigger(splitter, first) || !read_variant(splitter, first, &variant)
        || str_equal(variant, LIMEN_STR("postgresql")))
        return true;
    return sql_is_word(before, LIMEN_STR("end")) && sql_is_sign(before_that, ';');
}

/* Reads one statement with the comments above it and on its last line. `ret_first` is the index of its first code token. */
static bool read_statement(struct splitter *splitter, uint32_t *ret_first, bool *ret_found)
{
    struct sql_token before = { 0 }, before_that = { 0 };
    uint32_t first = UINT32_MAX;
    splitter->count = 0;
    *ret_found = false;
    for (;;) {
        struct sql_token token = sql_next(&splitter->lexer);
        if (token.kind == SQL_END) {
            *ret_first = splitter->count;
            return first == UINT32_MAX
                || fault(splitter, &splitter->tokens[first], LIMEN_STR("end it with `;`"), "this statement has no end");
        }
        if (token.kind == SQL_BROKEN)
            return fault(splitter, &token, LIMEN_STR("close it"), "this quote or comment has no end");
        if (!push(splitter, &token))
            return false;
        if (token.kind == SQL_COMMENT)
            continue;
        if (first == UINT32_MAX)
            first = splitter->count - 1;
        if (sql_is_sign(&token, ';') && is_end(splitter, first, &before, &before_that)) {
            *ret_first = first;
            *ret_found = true;
            return true;
        }
        before_that = before;
        before = token;
    }
}

static bool check_start(const struct splitter *splitter, uint32_t first)
{
    static const limen_str FIRST[] = { LIMEN_STR_INIT("create"), LIMEN_STR_INIT("alter"),  LIMEN_STR_INIT("drop"),
                                       LIMEN_STR_INIT("insert"), LIMEN_STR_INIT("update"), LIMEN_STR_INIT("delete"),
                                       LIMEN_STR_INIT("with") };
    const struct sql_token *head = code_token(splitter, first, 0), *second = code_token(splitter, first, 1);
    bool known = false;
    for (size_t i = 0; i < sizeof FIRST / sizeof FIRST[0]; i++)
        known |= sql_is_word(head, FIRST[i]);
    if (!known)
        return fault(
            splitter, head,
            LIMEN_STR("each migration runs in a transaction of its own, with settings that are not its business"),
            "a migration's statement starts with CREATE, ALTER, DROP, INSERT, UPDATE, DELETE or WITH");
    if (sql_is_word(second, LIMEN_STR("temp")) || sql_is_word(second, LIMEN_STR("temporary"))
        || sql_is_word(second, LIMEN_STR("virtual")))
        return fault(splitter, second, LIMEN_STR("make it an ordinary table"),
                     "temporary and virtual tables are not for migrations");
    return true;
}

/* What would step around triggers or the transaction, in a statement or later in a trigger. */
static bool check_tokens(const struct splitter *splitter, uint32_t first, bool is_postgresql)
{
    static const limen_str CLAUSES[] = { LIMEN_STR_INIT("replace"), LIMEN_STR_INIT("rollback"),
                                         LIMEN_STR_INIT("fail") };
    struct sql_token before = { 0 }, before_that = { 0 };
    for (uint32_t i = first; i < splitter->count; i++) {
        const struct sql_token *token = &splitter->tokens[i];
        if (token->kind == SQL_COMMENT)
            continue;
        if (token->text.ptr[0] == '$' && !is_postgresql)
            return fault(splitter, token, LIMEN_STR("write 'text', or `-- on: postgresql` above the statement"),
                         "this quote is PostgreSQL's alone");
        bool in_clause = sql_is_word(&before, LIMEN_STR("or")) || sql_is_word(&before, LIMEN_STR("conflict"))
            || (sql_is_sign(&before, '(') && sql_is_word(&before_that, LIMEN_STR("raise")));
        for (size_t j = 0; in_clause && j < sizeof CLAUSES / sizeof CLAUSES[0]; j++) {
            if (sql_is_word(token, CLAUSES[j]))
                return fault(splitter, token, LIMEN_STR("use ABORT, IGNORE, or ON CONFLICT (…) DO UPDATE"),
                             "this conflict clause would step around triggers or the transaction");
        }
        limen_str name = sql_is_name(token) ? sql_name(token) : LIMEN_STR("");
        if (str_equal_nocase(str_slice(name, 0, 6), LIMEN_STR("limen_")))
            return fault(splitter, token, LIMEN_STR("rename it"), "names that start with limen_ are Limen's own");
        if (sql_is_sign(token, '.')
            && (str_equal_nocase(sql_name(&before), LIMEN_STR("main"))
                || str_equal_nocase(sql_name(&before), LIMEN_STR("temp"))
                || str_equal_nocase(sql_name(&before), LIMEN_STR("limen"))))
            return fault(splitter, &before, LIMEN_STR("write the table's name alone"), "a migration names no schema");
        before_that = before;
        before = *token;
    }
    return true;
}

static void add_statement(const struct splitter *splitter, uint32_t first, bool is_variant, limen_str table,
                          struct migration *migration)
{
    const struct sql_token *head = &splitter->tokens[first], *last = &splitter->tokens[splitter->count - 1];
    migration->statements[migration->count++] = (struct migration_statement){
        .sql = str_make(head->text.ptr, (size_t)(last->text.ptr - head->text.ptr)),
        .table = table,
        .is_variant = is_variant,
        .line = head->line,
        .column = head->column
    };
}

static bool split(const struct limen_file *file, uint32_t index, limen_str backend, struct arena *arena,
                  struct migration_set *set, struct diags *diags)
{
    struct migration *migration = &set->items[index];
    struct splitter splitter = { .file = file->path, .backend = backend, .arena = arena, .diags = diags };
    sql_lexer_init(&splitter.lexer, file->bytes);
    size_t most = 0;
    for (size_t i = 0; i < file->bytes.len; i++)
        most += file->bytes.ptr[i] == ';';
    migration->statements = ARENA_NEW_ARRAY(arena, struct migration_statement, most);
    if (migration->statements == NULL)
        return false;
    for (;;) {
        uint32_t first = 0;
        bool found = false;
        limen_str variant, table;
        if (!read_statement(&splitter, &first, &found))
            return false;
        struct migration_text text = { splitter.tokens, splitter.count, first, file->path, index };
        if (!found)
            return annotations_follow(set, &text, &table, arena, diags);
        if (!read_variant(&splitter, first, &variant))
            return false;
        if (variant.len > 0 && !str_equal(variant, backend))
            continue;
        if (!check_start(&splitter, first)
            || !check_tokens(&splitter, first, str_equal(variant, LIMEN_STR("postgresql")))
            || !annotations_follow(set, &text, &table, arena, diags))
            return false;
        add_statement(&splitter, first, variant.len > 0, table, migration);
    }
}

static int compare_files(const void *a, const void *b)
{
    const struct limen_file *const *left = a, *const *right = b;
    return str_compare((*left)->path, (*right)->path);
}

static bool check_name(const struct limen_file *file, const struct limen_file *before, struct diags *diags)
{
    bool good = str_ends(file->path, LIMEN_STR(".sql")) && file->path.len > 4 && file->path.ptr[0] >= '0'
        && file->path.ptr[0] <= '9';
    if (!good)
        diags_add_at(diags, file->path, 1, 1, LIMEN_STR("name it like 0002_add_index.sql"),
                     "a migration's name starts with its number and ends in .sql");
    if (before == NULL || !str_equal(before->path, file->path))
        return good;
    diags_add_at(diags, file->path, 1, 1, LIMEN_STR("rename one"), "two migrations have this name");
    return false;
}

bool migrations_parse(const struct limen_file *files, size_t count, limen_str backend, struct arena *arena,
                      struct migration_set *ret_set, struct diags *diags)
{
    struct migration_set set = { .items = ARENA_NEW_ARRAY(arena, struct migration, count) };
    const struct limen_file **sorted = arena_zalloc(arena, count, sizeof *sorted);
    if (set.items == NULL || sorted == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &files[i];
    qsort(sorted, count, sizeof *sorted, compare_files);
    bool good = true;
    for (uint32_t i = 0; i < count; i++) {
        struct migration *migration = &set.items[set.count++];
        migration->name = sorted[i]->path;
        unsigned int bytes = 0;
        good = EVP_Digest(sorted[i]->bytes.ptr, sorted[i]->bytes.len, migration->checksum, &bytes, EVP_sha256(), NULL)
                == 1
            && good;
        good = check_name(sorted[i], i > 0 ? sorted[i - 1] : NULL, diags) && good;
        good = split(sorted[i], i, backend, arena, &set, diags) && good;
    }
    *ret_set = set;
    return good;
}

/* ---- what has been applied ------------------------------------------------------------------------------------------------- */

static enum migration_stand refuse(struct diags *diags, limen_str file, uint32_t line, limen_str mend,
                                   const char *message)
{
    diags_add_at(diags, arena_copy(diags->arena, file), line, line, mend, "%s", message);
    return STAND_FAULT;
}

static bool is_same(const struct migration *migration, limen_str checksum)
{
    char memory[2 * MIGRATION_CHECKSUM_BYTES];
    struct buf hex;
    buf_init_fixed(&hex, memory, sizeof memory);
    buf_add_hex(&hex, migration->checksum, sizeof migration->checksum);
    return str_equal(buf_str(&hex), checksum);
}

enum migration_stand migrations_compare(const struct migration_set *set, uint32_t at, limen_str name,
                                        limen_str checksum, struct diags *diags)
{
    if (at >= set->count)
        return STAND_AHEAD;
    const struct migration *migration = &set->items[at];
    int order = str_compare(migration->name, name);
    if (order < 0)
        return refuse(diags, migration->name, 1, LIMEN_STR("give it a number behind the last applied one"),
                      "this migration stands before one that has been applied");
    if (order > 0)
        return refuse(diags, name, 0, LIMEN_STR("start the version of the app that has this file"),
                      "the database has applied a migration that is not here");
    if (!is_same(migration, checksum))
        return refuse(diags, name, 1, LIMEN_STR("restore the file as it was, and put the change into a new one"),
                      "this migration has changed after it was applied");
    return STAND_READY;
}

void migrations_list(const struct migration_set *set, uint32_t pending, bool is_applied, struct buf *out)
{
    for (uint32_t i = 0; i < set->count; i++) {
        bool was_pending = i >= set->count - pending;
        buf_printf(out, "%s %.*s\n",
                   !was_pending     ? "applied"
                       : is_applied ? "applied now"
                                    : "pending",
                   LIMEN_STR_ARG(set->items[i].name));
    }
}
