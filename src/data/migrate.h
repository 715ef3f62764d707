/* migrate.h - migrations as text: their statements, and what their comments say about tables.
 *
 *   -- owner: customer_id                    above CREATE TABLE: a row belongs to the account that this column names
 *   -- owner: via orders.order_id            …: to the owner of the row of `orders` that the column order_id refers to
 *   price INTEGER NOT NULL, -- decided-by: items.price via item_id
 *   -- on: sqlite | postgresql               the next statement is for this back end only
 *
 * Nothing here knows a database: the back end runs the statements and turns the annotations into its own guards. */
#ifndef DATA_MIGRATE_H
#define DATA_MIGRATE_H

#include "contract/doc.h" /* diags */
#include "data/sqltext.h"
#include "limen/app.h"

#define MIGRATION_CHECKSUM_BYTES 32U

struct migration_statement {
    limen_str sql;   /* without its `;` */
    limen_str table; /* that it makes, or renames one to; "" for none */
    bool is_variant; /* written for this back end alone: `-- on:` */
    uint32_t line, column;
};

struct migration {
    limen_str name;                             /* the file's */
    uint8_t checksum[MIGRATION_CHECKSUM_BYTES]; /* SHA-256 of the file */
    struct migration_statement *statements;     /* of the chosen back end */
    uint32_t count;
};

struct annotation {
    enum { ANNOTATION_OWNER, ANNOTATION_DECIDED } kind;
    bool is_gone; /* the table has been dropped by a later migration */
    limen_str table;
    limen_str column;     /* OWNER: that names the account, or (via) refers to the parent; DECIDED: the guarded one */
    limen_str parent;     /* OWNER via: the other table; DECIDED: the deciding table */
    limen_str decisive;   /* DECIDED: the deciding column */
    limen_str via_column; /* DECIDED: the column that refers to the deciding row */
    uint32_t migration;   /* index: from which one on it holds */
    limen_str file;
    uint32_t line, at_column;
};

struct migration_set {
    struct migration *items; /* by name */
    uint32_t count;
    struct annotation *annotations;
    uint32_t annotation_count, annotation_capacity;
};

/* Reads all files; `backend` picks the variants. False after adding to `diags`. */
bool migrations_parse(const struct limen_file *files, size_t count, limen_str backend, struct arena *arena,
                      struct migration_set *ret_set, struct diags *diags) LIMEN_MUST_CHECK;

/* How a database stands to a set. */
enum migration_stand {
    STAND_READY,   /* it is as these files want it */
    STAND_PENDING, /* migrations are to be applied */
    STAND_LOOSE,   /* PostgreSQL's guards are not as the annotations want them */
    STAND_AHEAD,   /* a newer version has been here, and what guards rows holds: this one goes on with it */
    STAND_CLOSED,  /* PostgreSQL lets this user not look: pg_refuse_stranger says so */
    STAND_FAULT    /* a fault was added */
};
/* What a start and the commands say of STAND_AHEAD. */
#define MIGRATIONS_AHEAD "the database is ahead: a newer version has migrated it"
#define MIGRATIONS_AHEAD_MEND "use that version"

/* Compares a note of what was applied: number `at` of them in the order of their names, its checksum in hexadecimal digits. READY: it is
 * migration `at` of the set. AHEAD: all of the set stands before it. FAULT after adding to `diags`. */
enum migration_stand migrations_compare(const struct migration_set *set, uint32_t at, limen_str name,
                                        limen_str checksum, struct diags *diags) LIMEN_MUST_CHECK;

/* One line for each migration, as `migrate` prints it; the last `pending` of them were not applied before. */
void migrations_list(const struct migration_set *set, uint32_t pending, bool is_applied, struct buf *out);

/* ---- between migrate.c and annotations.c --------------------------------------------------------------------------- */
/* One statement with the comments above and in it, as tokens. */
struct migration_text {
    const struct sql_token *tokens;
    uint32_t count;
    uint32_t first; /* index of the first token that is no comment */
    limen_str file;
    uint32_t migration;
};
/* Takes the annotations of one statement, and follows tables that are renamed or dropped. `ret_table`: one that it makes, or renames
 * one to. */
bool annotations_follow(struct migration_set *set, const struct migration_text *text, limen_str *ret_table,
                        struct arena *arena, struct diags *diags) LIMEN_MUST_CHECK;

#endif
