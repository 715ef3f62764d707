/* check_database.h - is the database where only its own server can reach it? */
#ifndef CLI_CHECK_DATABASE_H
#define CLI_CHECK_DATABASE_H

#include "contract/doc.h"

/* Looks at the hosts that a database's URL names: `sqlite:FILE` has none, `postgresql://` may have several. A host with a public
 * address, and one that cannot be resolved, is a warning; a URL of another kind is an error. Asks the resolver. */
void check_database(limen_str url, struct arena *arena, struct diags *errors, struct diags *warnings);

#endif
