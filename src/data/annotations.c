/* annotations.c - what a migration's comments say about its tables.
 *
 * An annotation that nobody reads would be a guard that is not there, so every `-- owner:` and `-- decided-by:` must stand where
 * it is read, and tables are followed through later renames and drops. */
#include "core/arena.h"
#include "data/migrate.h"

struct walk {
    struct migration_set *set;
    const struct migration_text *text;
    struct arena *arena;
    struct diags *diags;
    uint32_t at;
};

static bool fault(const struct walk *walk, const struct sql_token *token, limen_str mend, const char *message)
{
    diags_add_at(walk->diags, walk->text->file, token->line, token->column, mend, "%s", message);
    return false;
}

/* The next token that is no comment; the statement's `;` for ever once it is reached. */
static const struct sql_token *take(struct walk *walk)
{
    while (walk->at + 1 < walk->text->count && walk->text->tokens[walk->at].kind == SQL_COMMENT)
        walk->at++;
    const struct sql_token *token = &walk->text->tokens[walk->at];
    if (walk->at + 1 < walk->text->count)
        walk->at++;
    return token;
}

static bool take_word(struct walk *walk, limen_str word)
{
    uint32_t from = walk->at;
    if (sql_is_word(take(walk), word))
        return true;
    walk->at = from;
    return false;
}
#define TAKE_WORD(walk, literal) take_word((walk), LIMEN_STR(literal))

static struct annotation *add(struct walk *walk)
{
    struct migration_set *set = walk->set;
    if (set->annotation_count == set->annotation_capacity) {
        uint32_t capacity = set->annotation_capacity == 0 ? 16 : set->annotation_capacity * 2;
        struct annotation *all = ARENA_NEW_ARRAY(walk->arena, struct annotation, capacity);
        if (all == NULL)
            return NULL;
        if (set->annotation_count > 0)
            memcpy(all, set->annotations, set->annotation_count * sizeof *all);
        set->annotations = all;
        set->annotation_capacity = capacity;
    }
    return &set->annotations[set->annotation_count++];
}

/* A bare name at the front of `rest`. */
static limen_str cut_name(limen_str *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != ' ' && rest->ptr[len] != '.' && rest->ptr[len] != '\t')
        len++;
    limen_str name = str_slice(*rest, 0, len);
    *rest = str_slice(*rest, len, rest->len);
    return name;
}

static bool cut_dot(limen_str *rest)
{
    bool is_dot = rest->len > 0 && rest->ptr[0] == '.';
    *rest = str_slice(*rest, is_dot, rest->len);
    return is_dot;
}

static bool cut_via(limen_str *rest)
{
    *rest = str_trim(*rest);
    if (!str_starts(*rest, LIMEN_STR("via ")))
        return false;
    *rest = str_trim(str_slice(*rest, 4, rest->len));
    return true;
}

static bool is_plain_name(limen_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return name.len > 0;
}

/* `customer_id` or `via orders.order_id` */
static bool add_owner(struct walk *walk, const struct sql_token *comment, limen_str rest, limen_str table)
{
    struct annotation *owner = add(walk);
    if (owner == NULL)
        return fault(walk, comment, LIMEN_STR(""), "memory is out");
    *owner = (struct annotation){ .kind = ANNOTATION_OWNER,
                                  .table = table,
                                  .migration = walk->text->migration,
                                  .file = walk->text->file,
                                  .line = comment->line,
                                  .at_column = comment->column };
    bool good = true;
    if (cut_via(&rest)) {
        owner->parent = cut_name(&rest);
        good = is_plain_name(owner->parent) && cut_dot(&rest);
    }
    owner->column = cut_name(&rest);
    if (good && is_plain_name(owner->column) && str_trim(rest).len == 0)
        return true;
    return fault(walk, comment, LIMEN_STR("write `-- owner: customer_id` or `-- owner: via orders.order_id`"),
                 "this owner cannot be read");
}

/* `items.price via item_id` */
static bool add_decided(struct walk *walk, const struct sql_token *comment, limen_str rest, limen_str table,
                        limen_str column)
{
    struct annotation *decided = add(walk);
    if (decided == NULL)
        return fault(walk, comment, LIMEN_STR(""), "memory is out");
    *decided = (struct annotation){ .kind = ANNOTATION_DECIDED,
                                    .table = table,
                                    .column = column,
                                    .migration = walk->text->migration,
                                    .file = walk->text->file,
                                    .line = comment->line,
                                    .at_column = comment->column };
    decided->parent = cut_name(&rest);
    bool good = is_plain_name(decided->parent) && cut_dot(&rest);
    decided->decisive = cut_name(&rest);
    good = good && is_plain_name(decided->decisive) && cut_via(&rest);
    decided->via_column = cut_name(&rest);
    if (good && is_plain_name(decided->via_column) && str_trim(rest).len == 0 && is_plain_name(table)
        && is_plain_name(column))
        return true;
    return fault(walk, comment, LIMEN_STR("write `-- decided-by: items.price via item_id`"),
                 "this decision cannot be read");
}

static struct annotation *find_owner(struct migration_set *set, limen_str table)
{
    for (uint32_t i = 0; i < set->annotation_count; i++) {
        struct annotation *it = &set->annotations[i];
        if (it->kind == ANNOTATION_OWNER && !it->is_gone && str_equal_nocase(it->table, table))
            return it;
    }
    return NULL;
}

/* The comments above CREATE TABLE. */
static bool take_owner(struct walk *walk, limen_str table)
{
    for (uint32_t i = 0; i < walk->text->first; i++) {
        const struct sql_token *comment = &walk->text->tokens[i];
        limen_str word, rest;
        if (!sql_directive(comment, &word, &rest))
            continue;
        if (str_equal(word, LIMEN_STR("decided-by")))
            return fault(walk, comment, LIMEN_STR("put it at the end of the column's line"),
                         "`-- decided-by:` stands above no column");
        if (!str_equal(word, LIMEN_STR("owner")))
            continue;
        if (find_owner(walk->set, table) != NULL)
            return fault(walk, comment, LIMEN_STR("keep one"), "the table has an owner already");
        if (!is_plain_name(table))
            return fault(walk, comment, LIMEN_STR("name it with letters, digits and underscores"),
                         "an owned table has a plain name");
        if (!add_owner(walk, comment, rest, table))
            return false;
    }
    return true;
}

/* The body of CREATE TABLE: a column's definition starts behind the first `(` or a `,` at its depth. */
static bool take_decisions(struct walk *walk, limen_str table)
{
    uint32_t depth = 0, code_line = 0;
    bool starts = false;
    limen_str column = LIMEN_STR("");
    for (uint32_t i = walk->text->first; i < walk->text->count; i++) {
        const struct sql_token *token = &walk->text->tokens[i];
        limen_str word, rest;
        if (token->kind != SQL_COMMENT) {
            if (starts)
                column = sql_name(token);
            depth += sql_is_sign(token, '(');
            starts = (sql_is_sign(token, '(') || sql_is_sign(token, ',')) && depth == 1;
            depth -= sql_is_sign(token, ')') && depth > 0;
            code_line = token->line;
        } else if (sql_directive(token, &word, &rest)) {
            if (str_equal(word, LIMEN_STR("owner")))
                return fault(walk, token, LIMEN_STR("put it on a line above CREATE TABLE"),
                             "`-- owner:` stands inside a statement");
            if (!str_equal(word, LIMEN_STR("decided-by")))
                continue;
            if (token->line != code_line || column.len == 0)
                return fault(walk, token, LIMEN_STR("put it at the end of the column's line"),
                             "`-- decided-by:` stands beside no column");
            if (!add_decided(walk, token, rest, table, column))
                return false;
        }
    }
    return true;
}

/* Annotations elsewhere would be read by nobody. */
static bool refuse_stray(struct walk *walk)
{
    for (uint32_t i = 0; i < walk->text->count; i++) {
        limen_str word, rest;
        if (!sql_directive(&walk->text->tokens[i], &word, &rest))
            continue;
        if (str_equal(word, LIMEN_STR("owner")) || str_equal(word, LIMEN_STR("decided-by")))
            return fault(
                walk, &walk->text->tokens[i],
                LIMEN_STR(
                    "`-- owner:` stands above CREATE TABLE, `-- decided-by:` at the end of a column's line in it"),
                "this annotation belongs to no CREATE TABLE");
    }
    return true;
}

static void rename_in(limen_str *name, limen_str from, limen_str to)
{
    if (str_equal_nocase(*name, from))
        *name = to;
}

static void follow_table_rename(struct migration_set *set, limen_str from, limen_str to)
{
    for (uint32_t i = 0; i < set->annotation_count; i++) {
        if (set->annotations[i].is_gone)
            continue;
        rename_in(&set->annotations[i].table, from, to);
        rename_in(&set->annotations[i].parent, from, to);
    }
}

static void follow_column_rename(struct migration_set *set, limen_str table, limen_str from, limen_str to)
{
    for (uint32_t i = 0; i < set->annotation_count; i++) {
        struct annotation *it = &set->annotations[i];
        if (!it->is_gone && str_equal_nocase(it->table, table)) {
            rename_in(&it->column, from, to);
            rename_in(&it->via_column, from, to);
        }
        if (!it->is_gone && it->kind == ANNOTATION_DECIDED && str_equal_nocase(it->parent, table))
            rename_in(&it->decisive, from, to);
    }
}

static void follow_drop(struct migration_set *set, limen_str table)
{
    for (uint32_t i = 0; i < set->annotation_count; i++)
        set->annotations[i].is_gone |= str_equal_nocase(set->annotations[i].table, table);
}

/* ALTER TABLE x RENAME TO y | RENAME [COLUMN] a TO b | … */
static void follow_alter(struct walk *walk, limen_str *ret_table)
{
    limen_str table = sql_name(take(walk));
    if (!TAKE_WORD(walk, "rename"))
        return;
    if (TAKE_WORD(walk, "to")) {
        *ret_table = sql_name(take(walk));
        follow_table_rename(walk->set, table, *ret_table);
        return;
    }
    (void)TAKE_WORD(walk, "column");
    limen_str from = sql_name(take(walk));
    if (TAKE_WORD(walk, "to"))
        follow_column_rename(walk->set, table, from, sql_name(take(walk)));
}

bool annotations_follow(struct migration_set *set, const struct migration_text *text, limen_str *ret_table,
                        struct arena *arena, struct diags *diags)
{
    *ret_table = LIMEN_STR("");
    struct walk walk = { .set = set, .text = text, .arena = arena, .diags = diags, .at = text->first };
    if (text->first >= text->count)
        return refuse_stray(&walk);
    if (TAKE_WORD(&walk, "create") && TAKE_WORD(&walk, "table")) {
        if (TAKE_WORD(&walk, "if") && TAKE_WORD(&walk, "not"))
            (void)TAKE_WORD(&walk, "exists");
        *ret_table = sql_name(take(&walk));
        return take_owner(&walk, *ret_table) && take_decisions(&walk, *ret_table);
    }
    walk.at = text->first;
    if (TAKE_WORD(&walk, "drop") && TAKE_WORD(&walk, "table")) {
        if (TAKE_WORD(&walk, "if"))
            (void)TAKE_WORD(&walk, "exists");
        follow_drop(set, sql_name(take(&walk)));
    }
    walk.at = text->first;
    if (TAKE_WORD(&walk, "alter") && TAKE_WORD(&walk, "table"))
        follow_alter(&walk, ret_table);
    return refuse_stray(&walk);
}
