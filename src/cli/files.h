/* files.h - reading an app's folder, for the tools. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include "core/arena.h"
#include "limen/app.h"

/* Reads a whole file of at most `ceiling` bytes into the arena. False after a line on standard error that names the cause. */
bool files_read(const char *path, size_t ceiling, struct arena *arena, limen_str *ret_bytes) LIMEN_MUST_CHECK;
/* Reads every file under a folder whose name ends in `ending` ("": all), sorted by path; paths are relative. Hidden files are left out. */
bool files_read_folder(const char *folder, const char *ending, struct arena *arena, struct limen_file **ret_files,
                       size_t *ret_count) LIMEN_MUST_CHECK;
/* Reads the documents that `--with [URI=]FILE` names; without a URI one is called by its path from the folder of the contract, which
 * is how a $ref there would write it. False after a line on standard error. */
bool files_read_documents(const char *const *arguments, size_t count, const char *contract, struct arena *arena,
                          struct limen_app *app) LIMEN_MUST_CHECK;
/* Writes a file unless it has these bytes already, so that nothing is rebuilt for nothing. */
bool files_write(const char *folder, const char *name, limen_str bytes) LIMEN_MUST_CHECK;

#endif
