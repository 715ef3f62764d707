/* jwks_source.h - where the keys of each bearer scheme come from: the setting --jwks, else the contract's x-jwks. */
#ifndef SERVER_JWKS_SOURCE_H
#define SERVER_JWKS_SOURCE_H

#include "data/role.h"

struct arena;

/* For --jwks: "SCHEME=FILE" or "SCHEME=https://…". */
bool jwks_source_is_valid(limen_str value);
/* Puts the setting (the list of --jwks, with commas) in the contract's place, and gives each URL its number as a target of the outbound
 * role; so every process that loads the contract does it, with the same setting. False after adding to `diags`: a name that no bearer
 * scheme has, a URL that cannot be fetched. */
bool jwks_sources_set(struct contract *contract, limen_str setting, struct arena *arena,
                      struct diags *diags) LIMEN_MUST_CHECK;
/* Reads the files. False after adding to `diags`. */
bool jwks_sources_read(const struct contract *contract, struct arena *arena, struct data_jwks ret_jwks[LIMIT_SCHEMES],
                       struct diags *diags) LIMEN_MUST_CHECK;

#endif
