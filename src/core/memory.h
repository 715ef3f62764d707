/* memory.h - how much of its memory a worker has promised away.
 *
 * A count beside the allocators: who begins something says first how much it will take at the most, and what was promised to one
 * is not used up by another. A newcomer gets a share of what is left and no more, so what is small finds room when what is large no
 * longer does. */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include "limen/base.h"

/* Of one thread; both in bytes. */
struct memory {
    size_t ceiling_bytes, used_bytes;
};

/* For what has not begun: true when `bytes` are at most 1/LIMIT_MEMORY_SHARE of what is left; they are then taken. */
bool memory_reserve(struct memory *memory, size_t bytes) LIMEN_MUST_CHECK;
/* For what is under way and needs more than it has reserved: true when it fits. */
bool memory_take(struct memory *memory, size_t bytes) LIMEN_MUST_CHECK;
void memory_give(struct memory *memory, size_t bytes);

#endif
