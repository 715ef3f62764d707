/* secret.h - secrets by their names: the file of --secret NAME=@FILE, else systemd's credential of that name.
 *
 * The supervisor hands on where they are; the role whose they are reads them, before its sandbox closes. */
#ifndef SERVER_SECRET_H
#define SERVER_SECRET_H

#include "core/limits.h"
#include "core/str.h"

struct arena;
struct contract;
struct diags;

/* For --secret: "NAME=@FILE". */
bool secret_is_valid(limen_str value);
/* Reads the secret of that name, without the line end behind it; empty when nobody has given one. False after adding to `diags`: it cannot be
 * read, is empty or longer than LIMIT_SECRET_BYTES. */
bool secret_read(limen_str name, struct arena *arena, limen_str *ret_secret, struct diags *diags) LIMEN_MUST_CHECK;
/* Those of the contract's webhooks, by the schemes' indices; their names are the schemes'. */
bool secrets_of_webhooks(const struct contract *contract, struct arena *arena, limen_str ret_secrets[LIMIT_SCHEMES],
                         struct diags *diags) LIMEN_MUST_CHECK;

#endif
