/* file_watch.h - files that a role reads each time anew: the resolver's, and those that a database's URL names.
 *
 * When one of them was replaced, the sandbox still means the file that was there before, so the process ends and is started anew. */
#ifndef SERVER_FILE_WATCH_H
#define SERVER_FILE_WATCH_H

#include "core/lookup.h"
#include "data/store.h"
#include "server/role.h"

#include <sys/stat.h>

#define FILE_WATCH_MOST (STORE_SANDBOX_PATHS + LOOKUP_PATHS)

struct watched_file {
    const char *path;
    dev_t device;
    ino_t inode; /* 0: not there */
};

struct file_watch {
    struct loop_timer timer;
    struct role *role;
    bool (*may_end)(const struct role *role);
    struct watched_file files[FILE_WATCH_MOST];
    size_t count;
};

/* Just before the sandbox is closed, with the paths that it keeps; their texts outlive the watch. From then on, once a file that may be
 * read is another one and `may_end` says so, the role's loop is stopped. */
void file_watch_start(struct file_watch *watch, struct role *role, const struct sandbox_path *paths, size_t count,
                      bool (*may_end)(const struct role *role));
void file_watch_stop(struct file_watch *watch);

#endif
