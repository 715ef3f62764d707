/* memory.c - how much of its memory a worker has promised away. */
#include "core/memory.h"

#include "core/limits.h"

static size_t left(const struct memory *memory)
{
    return memory->used_bytes < memory->ceiling_bytes ? memory->ceiling_bytes - memory->used_bytes : 0;
}

bool memory_reserve(struct memory *memory, size_t bytes)
{
    if (bytes > left(memory) / LIMIT_MEMORY_SHARE)
        return false;
    memory->used_bytes += bytes;
    return true;
}

bool memory_take(struct memory *memory, size_t bytes)
{
    if (bytes > left(memory))
        return false;
    memory->used_bytes += bytes;
    return true;
}

void memory_give(struct memory *memory, size_t bytes)
{
    memory->used_bytes -= bytes;
}
