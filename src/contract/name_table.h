/* name_table.h - names that are fixed when the contract is read: which of them is this one? */
#ifndef CONTRACT_NAME_TABLE_H
#define CONTRACT_NAME_TABLE_H

#include "contract/name.h"

/* A set of names, fixed when the contract is read; a name's place in it is its number. */
struct name_table {
    struct name_entry {
        struct name_mark mark;
        limen_str name;
    } * entries;
    uint32_t count;
    uint16_t *slots; /* place + 1; 0 is free; at most half are used */
    uint32_t mask;
};
#define NAME_NONE UINT32_MAX

static inline uint32_t name_slot(struct name_mark mark, size_t len)
{
    const uint64_t mixed = (mark.head ^ (mark.tail << 7 | mark.tail >> 57) ^ len) * 0x9E3779B97F4A7C15U;
    return (uint32_t)(mixed >> 40);
}

/* The place of a name, or NAME_NONE. */
static inline uint32_t name_find(const struct name_table *table, const char *ptr, size_t len)
{
    if (table->count == 0)
        return NAME_NONE;
    const struct name_mark mark = name_mark_of(ptr, len);
    for (uint32_t slot = name_slot(mark, len) & table->mask; table->slots[slot] != 0; slot = (slot + 1) & table->mask) {
        const uint32_t place = table->slots[slot] - 1U;
        const struct name_entry *entry = &table->entries[place];
        if (entry->name.len == len && name_mark_equal(entry->mark, mark)
            && (len <= NAME_MARK_BYTES || memcmp(entry->name.ptr, ptr, len) == 0))
            return place;
    }
    return NAME_NONE;
}

/* The same where the name at `likely` is probably the one: members mostly come in the order in which they were declared. */
static inline uint32_t name_find_near(const struct name_table *table, uint32_t likely, const char *ptr, size_t len)
{
    if (likely < table->count) {
        const struct name_entry *entry = &table->entries[likely];
        if (entry->name.len == len && name_mark_equal(entry->mark, name_mark_of(ptr, len))
            && (len <= NAME_MARK_BYTES || memcmp(entry->name.ptr, ptr, len) == 0))
            return likely;
    }
    return name_find(table, ptr, len);
}

#endif
