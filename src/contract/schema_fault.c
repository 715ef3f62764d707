/* schema_fault.c - what is wrong, where, and in plain words.
 *
 * Pointers and sentences are made only when there is a fault. What a client sent appears in a pointer only (its own member
 * names, cut), never in a detail. */
#include "contract/schema_program.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"

#define NAME_CUT 64U         /* bytes of a member name in a pointer */
#define ENUMERATION_CUT 200U /* bytes of allowed values in a detail */

void faults_init(struct faults *faults, struct arena *arena)
{
    *faults = (struct faults){ .arena = arena };
}

/* Room for one more fault, or NULL: the list is full, or memory is out. */
static struct fault *faults_next(struct faults *faults)
{
    if (faults->items == NULL)
        faults->items = arena_alloc(faults->arena, LIMIT_SCHEMA_FAULTS * sizeof(*faults->items));
    if (faults->items == NULL || faults->count == LIMIT_SCHEMA_FAULTS) {
        faults->is_cut = true;
        return NULL;
    }
    return &faults->items[faults->count++];
}

void faults_add(struct faults *faults, limen_str pointer, limen_str rule, limen_str detail)
{
    struct fault *fault = faults_next(faults);
    if (fault != NULL)
        *fault = (struct fault){ pointer, rule, detail };
}

/* ---- JSON Pointer ---------------------------------------------------------------------------------------------- */
/* A name as a reference token (RFC 6901 section 3), cut at a code point. */
static void add_name(struct buf *out, limen_str name)
{
    const size_t len = str_shorten(name, NAME_CUT).len;
    for (size_t from = 0, at = 0; from < len; from = ++at) {
        while (at < len && name.ptr[at] != '~' && name.ptr[at] != '/')
            at++;
        buf_add(out, str_slice(name, from, at));
        if (at < len)
            buf_add(out, name.ptr[at] == '~' ? LIMEN_STR("~0") : LIMEN_STR("~1"));
    }
    if (len < name.len)
        BUF_ADD(out, "…");
}

static limen_str walk_pointer(const struct walk *walk)
{
    const struct place *way[LIMIT_JSON_DEPTH + 1];
    size_t depth = 0;
    if (walk->place == NULL)
        return walk->base;
    for (const struct place *place = walk->place; place != NULL && depth <= LIMIT_JSON_DEPTH; place = place->up)
        way[depth++] = place;
    struct buf out;
    buf_init(&out, walk->faults->arena, walk->base.len + depth * 16 + 8);
    buf_add(&out, walk->base);
    while (depth > 0) {
        const struct place *place = way[--depth];
        buf_add_char(&out, '/');
        if (place->name_at != 0)
            add_name(&out, json_text(&walk->tape[place->name_at]));
        else
            buf_add_int(&out, place->index);
    }
    return buf_str(&out);
}

/* ---- sentences ------------------------------------------------------------------------------------------------- */
/* The pieces as one text; a single one is not copied: all are the contract's or our own. Empty when memory is out. */
static limen_str join(struct arena *arena, const limen_str *pieces, size_t count)
{
    size_t bytes = 0;
    if (count == 1)
        return pieces[0];
    for (size_t i = 0; i < count; i++)
        bytes += pieces[i].len;
    struct buf out;
    buf_init(&out, arena, bytes);
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].ptr != NULL)
            buf_add(&out, pieces[i]);
    }
    return out.failed ? (limen_str){ 0 } : buf_str(&out);
}

bool walk_fault(struct walk *walk, limen_str rule, const limen_str *pieces, size_t count)
{
    struct faults *faults = walk->faults;
    if (faults == NULL)
        return false;
    if (faults->count == LIMIT_SCHEMA_FAULTS)
        faults->is_cut = true;
    else
        faults_add(faults, walk_pointer(walk), rule, join(faults->arena, pieces, count));
    return false;
}

bool walk_fault_count(struct walk *walk, limen_str rule, limen_str bound, size_t count, limen_str noun, limen_str rest)
{
    char digits[24];
    struct buf number;
    buf_init_fixed(&number, digits, sizeof(digits));
    buf_add_int(&number, (int64_t)count);
    return WALK_FAULT_OF(walk, rule, LIMEN_STR("must have "), bound, buf_str(&number), LIMEN_STR(" "), noun,
                         count == 1 ? LIMEN_STR("") : LIMEN_STR("s"), rest);
}

bool walk_fault_type(struct walk *walk, uint8_t types)
{
    static const struct {
        uint8_t bits;
        limen_str noun;
    } nouns[] = {
        { TYPE_OBJECT, LIMEN_STR_INIT("an object") },   { TYPE_ARRAY, LIMEN_STR_INIT("an array") },
        { TYPE_STRING, LIMEN_STR_INIT("a string") },    { TYPE_NUMBER, LIMEN_STR_INIT("a number") },
        { TYPE_INTEGER, LIMEN_STR_INIT("an integer") }, { TYPE_BOOLEAN, LIMEN_STR_INIT("true or false") },
        { TYPE_NULL, LIMEN_STR_INIT("null") },
    };
    if (walk->faults == NULL)
        return false;
    char memory[128];
    struct buf words;
    buf_init_fixed(&words, memory, sizeof memory);
    for (size_t i = 0; i < sizeof nouns / sizeof *nouns; i++) {
        if (types == 0 || (types & nouns[i].bits) != nouns[i].bits)
            continue;
        types &= (uint8_t)~nouns[i].bits;
        if (words.len > 0)
            BUF_ADD(&words, " or ");
        buf_add(&words, nouns[i].noun);
    }
    return WALK_FAULT(walk, "type", LIMEN_STR("must be "), buf_str(&words));
}

bool walk_fault_values(struct walk *walk, const struct value_rules *rules)
{
    if (walk->faults == NULL)
        return false;
    const struct json_doc *doc = &rules->enumeration;
    if (doc->text.len > ENUMERATION_CUT)
        return WALK_FAULT(walk, "enum", LIMEN_STR("is not one of the values that are allowed"));
    char memory[ENUMERATION_CUT * 2];
    struct buf words;
    buf_init_fixed(&words, memory, sizeof memory);
    for (uint32_t at = 1; at < doc->count; at = doc->tape[at].next) {
        if (words.len > 0)
            BUF_ADD(&words, ", ");
        buf_add(&words, str_slice(doc->text, doc->tape[at].from, doc->tape[at].to));
    }
    return WALK_FAULT(walk, "enum", LIMEN_STR("must be one of "), buf_str(&words));
}
