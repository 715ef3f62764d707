/* static.h - an app's page: files that live in memory, with ETag, Range and right types.
 *
 * The files are part of the binary, so no path of a client ever reaches the file system. */
#ifndef EDGE_STATIC_H
#define EDGE_STATIC_H

#include "limen/app.h"

struct arena;
struct exchange;
struct static_files;

/* An index over the app's files: paths ("/app.js"; "/" is "/index.html"), strong ETags (from a SHA-256 of the bytes), types by ending. NULL when memory is out. */
struct static_files *static_files_new(const struct limen_file *from, size_t count);
void static_files_free(struct static_files *files);
/* Answers when `path` is a file's (GET and HEAD; 405 with Allow for other methods; If-None-Match -> 304; Range -> 206, 416). False when there
 * is no such file; the exchange is then untouched. */
bool static_files_reply(const struct static_files *files, struct exchange *exchange, struct arena *arena);

#endif
