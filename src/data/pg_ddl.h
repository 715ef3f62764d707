/* pg_ddl.h - a migration's statement as PostgreSQL runs it. */
#ifndef DATA_PG_DDL_H
#define DATA_PG_DDL_H

#include "data/migrate.h"
#include "data/pg_text.h"

struct pg_ddl {
    const char *text; /* ends with a NUL */
    struct pg_mark *marks;
    uint32_t mark_count;
};

/* False after adding to `diags`, with the place in `file` and the mend. */
bool pg_ddl_write(const struct migration_statement *statement, limen_str file, struct arena *arena,
                  struct pg_ddl *ret_ddl, struct diags *diags) LIMEN_MUST_CHECK;

#endif
