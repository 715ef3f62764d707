/* pg_statement.h - a statement of queries.sql as the text that PostgreSQL prepares.
 *
 * Parameters are numbered and typed, typed results are cast to their type, and a :must and a :returning raise PG_SQLSTATE_MISS when not
 * exactly one row has changed, so that the pipeline's transaction ends there. */
#ifndef DATA_PG_STATEMENT_H
#define DATA_PG_STATEMENT_H

#include "core/limits.h"
#include "data/pg_text.h"
#include "data/queries.h"

struct migration_set;

/* pg_type.oid: fixed for ever, as drivers rely on. */
enum pg_type {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_FLOAT4 = 700,
    PG_FLOAT8 = 701,
    PG_BYTEA_ARRAY = 1001,
    PG_TEXT_ARRAY = 1009,
    PG_INT8_ARRAY = 1016
};

/* ---- SQLSTATEs of Limen's own ------------------------------------------------------------------------------------------- */
#define PG_SQLSTATE_MISS "LM001"    /* exactly one row had to change, or to be returned, and did not */
#define PG_SQLSTATE_DECIDED "LM002" /* `-- decided-by:` decides otherwise */

/* A prototype's parameters, the caller, the time, and what an effect's row has of its own. */
#define PG_SLOTS (LIMIT_STATEMENT_PARAMS + 6)

/* What $n of the text stands for. */
enum pg_slot_source {
    PG_SLOT_PARAM,
    PG_SLOT_CALLER,
    PG_SLOT_NOW,
    /* of an effect's row in the outbox */
    PG_SLOT_EFFECT_ID,
    PG_SLOT_EFFECT_KEY,
    PG_SLOT_EFFECT_PARAMS,
    PG_SLOT_EFFECT_PRINCIPAL
};

struct pg_slot {
    enum pg_slot_source source;
    uint32_t param; /* SLOT_PARAM: index in the prototype */
};

/* Parameters and results are in binary. Parameters: PG_TEXT (text, json), PG_INT8 (int, time, bool: columns of bools are INTEGER),
 * PG_FLOAT8, PG_BYTEA, PG_TEXT_ARRAY, PG_INT8_ARRAY; the caller is PG_TEXT, or NULL for nobody. Results, in the order of
 * `statement->columns`: PG_TEXT (text, json), PG_INT8 (int, time, bool), PG_FLOAT8, PG_BYTEA. A :must gives one row of no meaning, a
 * :returning its one row. */
struct pg_sql {
    const char *text; /* ends with a NUL */
    uint32_t slot_count;
    struct pg_slot slots[PG_SLOTS]; /* $1 first */
    uint32_t types[PG_SLOTS];       /* enum pg_type, of the slots */
    bool is_owned; /* names a table with an owner: without a caller, or the scope's role, it sees no row there */
    struct pg_mark *marks; /* for pg_sql_locate */
    uint32_t mark_count;
};

/* What a value of this type is in PostgreSQL. */
enum pg_type pg_type_of(enum limen_type type);
/* `statement` has been described: its columns are known. False after adding to `diags`, with the place in `file` and the mend. */
bool pg_sql_write(const struct statement *statement, limen_str file, struct arena *arena, struct pg_sql *ret_sql,
                  struct diags *diags) LIMEN_MUST_CHECK;
/* Where in queries.sql PostgreSQL's PG_DIAG_STATEMENT_POSITION (a character of `text`, counted from 1; 0: none) comes from. */
void pg_sql_locate(const struct pg_sql *sql, const struct statement *statement, uint32_t position, uint32_t *ret_line,
                   uint32_t *ret_column);
/* True when the statement names a table with an owner. */
bool pg_sql_is_owned(const struct statement *statement, const struct migration_set *migrations);

#endif
