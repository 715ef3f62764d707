/* resolver_watch.c - looks now and then whether the files of the resolver are those that the sandbox knows. */
#include "server/resolver_watch.h"

#include "core/log.h"

#define LOOK_US 2000000

static struct file_identity identify(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return (struct file_identity){ 0 };
    return (struct file_identity){ status.st_dev, status.st_ino };
}

/* The path of one that was replaced; NULL: none was. */
static const char *find_replaced(const struct resolver_watch *watch)
{
    for (size_t i = 0; i < LOOKUP_PATHS; i++) {
        struct file_identity now = identify(lookup_paths[i].path);
        if (now.device != watch->files[i].device || now.inode != watch->files[i].inode)
            return lookup_paths[i].path;
    }
    return NULL;
}

static void on_look(struct loop_timer *timer)
{
    struct resolver_watch *watch = (struct resolver_watch *)((char *)timer - offsetof(struct resolver_watch, timer));
    const char *path = watch->may_end(watch->role) ? find_replaced(watch) : NULL;
    if (path == NULL) {
        loop_timer_start(loop_timers(watch->role->loop, LOOK_US), timer, on_look);
        return;
    }
    LOG_INFO("a file of the resolver was replaced: the role is started anew", log_text("path", path));
    loop_stop(watch->role->loop);
}

void resolver_watch_start(struct resolver_watch *watch, struct role *role, bool (*may_end)(const struct role *role))
{
    watch->role = role;
    watch->may_end = may_end;
    for (size_t i = 0; i < LOOKUP_PATHS; i++)
        watch->files[i] = identify(lookup_paths[i].path);
    loop_timer_start(loop_timers(role->loop, LOOK_US), &watch->timer, on_look);
}

void resolver_watch_stop(struct resolver_watch *watch)
{
    loop_timer_stop(&watch->timer);
}
