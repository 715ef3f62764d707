/* file_watch.c - looks now and then whether the files that a role reads are those that its sandbox knows. */
#include "server/file_watch.h"

#include "core/log.h"

#include <errno.h>

#define LOOK_US 2000000

/* What is at the path now. False when that cannot be told: whoever has started the role may have seen more than its user does. */
static bool identify(const char *path, struct watched_file *ret_file)
{
    struct stat status;
    *ret_file = (struct watched_file){ .path = path };
    if (stat(path, &status) != 0)
        return errno == ENOENT;
    ret_file->device = status.st_dev;
    ret_file->inode = status.st_ino;
    return true;
}

/* The path of one that was replaced; NULL: none was. */
static const char *find_replaced(const struct file_watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        const struct watched_file *before = &watch->files[i];
        struct watched_file now;
        if (identify(before->path, &now) && (now.device != before->device || now.inode != before->inode))
            return before->path;
    }
    return NULL;
}

static void on_look(struct loop_timer *timer)
{
    struct file_watch *watch = (struct file_watch *)((char *)timer - offsetof(struct file_watch, timer));
    const char *path = watch->may_end(watch->role) ? find_replaced(watch) : NULL;
    if (path == NULL) {
        loop_timer_start(loop_timers(watch->role->loop, LOOK_US), timer, on_look);
        return;
    }
    LOG_INFO("a file was replaced: the role is started anew", log_text("path", path));
    loop_stop(watch->role->loop);
}

void file_watch_start(struct file_watch *watch, struct role *role, const struct sandbox_path *paths, size_t count,
                      bool (*may_end)(const struct role *role))
{
    watch->role = role;
    watch->may_end = may_end;
    for (size_t i = 0; i < count && watch->count < FILE_WATCH_MOST; i++) {
        bool is_read = paths[i].access == SANDBOX_READ;
        watch->count += is_read && identify(paths[i].path, &watch->files[watch->count]);
    }
    loop_timer_start(loop_timers(role->loop, LOOK_US), &watch->timer, on_look);
}

void file_watch_stop(struct file_watch *watch)
{
    loop_timer_stop(&watch->timer);
}
