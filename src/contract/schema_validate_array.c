/* schema_validate_array.c - the items of an array, and whether two of them are the same.
 *
 * Few items are compared pair by pair; many go through a hash table with a key of its own, because the client chooses them. */
#include "contract/schema_program.h"

#include "core/str.h"

#define FEW_ITEMS 12U
#define MEMBERS_COMPARED \
    64U /* larger objects with equal keyed hashes are taken as equal: comparing them costs its square */

static bool check_count(struct walk *walk, const struct array_rules *rules, size_t items)
{
    if (items < rules->min_items)
        return walk_fault_count(walk, LIMEN_STR("minItems"), LIMEN_STR("at least "), rules->min_items,
                                LIMEN_STR("item"), LIMEN_STR(""));
    if (items > rules->max_items)
        return walk_fault_count(walk, LIMEN_STR("maxItems"), LIMEN_STR("at most "), rules->max_items, LIMEN_STR("item"),
                                LIMEN_STR(""));
    return true;
}

/* ---- uniqueItems ----------------------------------------------------------------------------------------------- */
static bool fault_twice(struct walk *walk, uint32_t first, uint32_t second)
{
    char memory[64];
    struct buf which;
    buf_init_fixed(&which, memory, sizeof(memory));
    BUF_ADD(&which, "(items ");
    buf_add_int(&which, first);
    BUF_ADD(&which, " and ");
    buf_add_int(&which, second);
    BUF_ADD(&which, ")");
    return WALK_FAULT(walk, "uniqueItems", LIMEN_STR("must not hold the same item twice "), buf_str(&which));
}

static bool check_few_unique(struct walk *walk, uint32_t at)
{
    uint32_t items[FEW_ITEMS];
    uint32_t item = at + 1;
    for (uint32_t i = 0; i < walk->tape[at].length; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (json_equal(walk->doc, items[j], walk->doc, item))
                return fault_twice(walk, j, i);
        }
        items[i] = item;
        item = walk->tape[item].next;
    }
    return true;
}

static bool has_large_object(const struct json_value *tape, uint32_t at)
{
    for (uint32_t i = at; i < tape[at].next; i++) {
        if (tape[i].type == JSON_OBJECT && tape[i].length > MEMBERS_COMPARED)
            return true;
    }
    return false;
}

/* Equal, given that the hashes are equal in all 64 bits. */
static bool is_same_item(const struct walk *walk, uint32_t a, uint32_t b)
{
    if (has_large_object(walk->tape, a))
        return walk->tape[b].type == walk->tape[a].type;
    return json_equal(walk->doc, a, walk->doc, b);
}

/* The table holds two words for each slot: an item's hash, and its place on the tape and in the array. */
static bool check_many_unique(struct walk *walk, uint32_t at)
{
    const uint32_t count = walk->tape[at].length;
    size_t slots = 32;
    while (slots < count + count / 3)
        slots *= 2;
    const size_t used = walk->set->scratch.used;
    uint64_t *table = scratch_take(walk, slots * 2);
    if (table == NULL)
        return false;
    bool ok = true;
    uint32_t item = at + 1;
    for (uint32_t i = 0; i < count && ok; i++) {
        const uint64_t hash = json_hash(&walk->set->key, walk->doc, item);
        size_t slot = hash & (slots - 1);
        for (; ok && table[slot * 2 + 1] != 0; slot = (slot + 1) & (slots - 1)) {
            const uint32_t other = (uint32_t)table[slot * 2 + 1];
            if (table[slot * 2] == hash && is_same_item(walk, item, other))
                ok = fault_twice(walk, (uint32_t)(table[slot * 2 + 1] >> 32), i);
        }
        table[slot * 2] = hash;
        table[slot * 2 + 1] = (uint64_t)i << 32 | item; /* an item is never the root, so never 0 */
        item = walk->tape[item].next;
    }
    walk->set->scratch.used = used;
    return ok;
}

static bool check_unique(struct walk *walk, uint32_t at)
{
    const bool are_few = walk->tape[at].length <= FEW_ITEMS && !has_large_object(walk->tape, at);
    return are_few ? check_few_unique(walk, at) : check_many_unique(walk, at);
}

/* ---- contains -------------------------------------------------------------------------------------------------- */
static bool check_contains(struct walk *walk, const struct array_rules *rules, uint32_t at, struct marks *marks)
{
    size_t found = 0;
    uint32_t item = at + 1;
    for (uint32_t i = 0; i < walk->tape[at].length; i++) {
        if (walk_check_quietly(walk, rules->contains, item, NULL)) {
            found++;
            marks_set(marks, i);
        }
        item = walk->tape[item].next;
    }
    if (found < rules->min_contains)
        return walk_fault_count(walk, rules->min_contains == 1 ? LIMEN_STR("contains") : LIMEN_STR("minContains"),
                                LIMEN_STR("at least "), rules->min_contains, LIMEN_STR("item"),
                                LIMEN_STR(" of the kind that `contains` describes"));
    if (found > rules->max_contains)
        return walk_fault_count(walk, LIMEN_STR("maxContains"), LIMEN_STR("at most "), rules->max_contains,
                                LIMEN_STR("item"), LIMEN_STR(" of the kind that `contains` describes"));
    return true;
}

/* ---- items ----------------------------------------------------------------------------------------------------- */
static bool check_items(struct walk *walk, const struct array_rules *rules, uint32_t at, struct marks *marks)
{
    const uint32_t count = walk->tape[at].length;
    struct place here = { .up = walk->place };
    uint32_t item = at + 1;
    bool ok = true;
    walk->place = &here;
    for (uint32_t i = 0; i < count; i++) {
        const struct schema *schema = i < rules->prefix_count ? rules->prefix[i] : rules->items;
        if (schema == NULL)
            break; /* nothing speaks of the rest */
        here.index = i;
        if (schema->is_never && schema == rules->items)
            ok = WALK_FAULT(walk, "items", LIMEN_STR("must not be here"));
        else
            ok = walk_child(walk, schema, item) && ok;
        marks_set(marks, i);
        if (!ok && !walk_goes_on(walk))
            break;
        item = walk->tape[item].next;
    }
    walk->place = here.up;
    return ok;
}

bool walk_array(struct walk *walk, const struct array_rules *rules, uint32_t at, struct marks *marks)
{
    bool ok = check_count(walk, rules, walk->tape[at].length);
    if ((ok || walk_goes_on(walk)) && (rules->items != NULL || rules->prefix_count > 0))
        ok = check_items(walk, rules, at, marks) && ok;
    if ((ok || walk_goes_on(walk)) && rules->is_unique)
        ok = check_unique(walk, at) && ok;
    if ((ok || walk_goes_on(walk)) && rules->contains != NULL)
        ok = check_contains(walk, rules, at, marks) && ok;
    return ok;
}
