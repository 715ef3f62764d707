/* shm.h - memory that the roles share: a sealed memfd, mapped by each, handed on by descriptor. */
#ifndef CORE_SHM_H
#define CORE_SHM_H

#include "limen/base.h"

/* Invariant: `base` is NULL when not mapped. */
struct shm_zone {
    int fd;
    void *base;
    size_t bytes;
};

/* A new zone of `bytes`, zeroed, sealed against resizing. The descriptor is close-on-exec: the supervisor hands it on by
 * a number of its choice. False when the kernel refuses. */
bool shm_create(struct shm_zone *ret_zone, const char *name, size_t bytes) LIMEN_MUST_CHECK;
/* Maps the zone behind `fd`, which must be of exactly `bytes` and sealed. Takes `fd` over on success. */
bool shm_map(struct shm_zone *ret_zone, int fd, size_t bytes) LIMEN_MUST_CHECK;
void shm_release(struct shm_zone *zone); /* unmaps and closes */

#endif
