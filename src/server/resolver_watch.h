/* resolver_watch.h - the files of the resolver, which is the C library's and reads them each time anew.
 *
 * When one of them was replaced, the sandbox still means the file that was there before, so the process ends and is started anew. */
#ifndef SERVER_RESOLVER_WATCH_H
#define SERVER_RESOLVER_WATCH_H

#include "core/lookup.h"
#include "server/role.h"

#include <sys/stat.h>

struct file_identity {
    dev_t device;
    ino_t inode; /* 0: not there */
};

struct resolver_watch {
    struct loop_timer timer;
    struct role *role;
    bool (*may_end)(const struct role *role);
    struct file_identity files[LOOKUP_PATHS];
};

/* Before the sandbox is closed. From then on, once a file is another one and `may_end` says so, the role's loop is stopped. */
void resolver_watch_start(struct resolver_watch *watch, struct role *role, bool (*may_end)(const struct role *role));
void resolver_watch_stop(struct resolver_watch *watch);

#endif
