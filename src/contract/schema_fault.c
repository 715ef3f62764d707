/* schema_fault.c - what is wrong, where, and in plain words.
 *
 * Pointers and sentences are made only when there is a fault. What a client sent appears in a pointer only (its own member
 * names, cut), never in a detail. */
#include "contract/schema_program.h"

#include "core/arena.h"
#include "core/limits.h"
#include "core/str.h"

#include <stdarg.h>

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
        faults->items = ARENA_NEW_ARRAY(faults->arena, struct fault, LIMIT_SCHEMA_FAULTS);
    if (faults->items == NULL || faults->count == LIMIT_SCHEMA_FAULTS) {
        faults->is_cut = true;
        return NULL;
    }
    return &faults->items[faults->count++];
}

static void faults_vadd(struct faults *faults, limen_str pointer, limen_str rule, const char *format, va_list args)
{
    struct fault *fault = faults_next(faults);
    if (fault == NULL)
        return;
    fault->pointer = pointer;
    fault->rule = rule;
    fault->detail = arena_vprintf(faults->arena, format, args);
}

void faults_add(struct faults *faults, limen_str pointer, limen_str rule, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    faults_vadd(faults, pointer, rule, format, args);
    va_end(args);
}

/* ---- JSON Pointer ---------------------------------------------------------------------------------------------- */
/* A name as a reference token (RFC 6901 section 3), cut at a code point. */
static void add_name(struct buf *out, limen_str name)
{
    size_t len = name.len;
    if (len > NAME_CUT) {
        len = NAME_CUT;
        while (len > 0 && ((uint8_t)name.ptr[len] & 0xC0) == 0x80)
            len--;
    }
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
bool walk_fault(struct walk *walk, const char *rule, const char *format, ...)
{
    if (walk->faults == NULL)
        return false;
    if (walk->faults->count == LIMIT_SCHEMA_FAULTS) {
        walk->faults->is_cut = true;
        return false;
    }
    va_list args;
    va_start(args, format);
    faults_vadd(walk->faults, walk_pointer(walk), str_of(rule), format, args);
    va_end(args);
    return false;
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
    return walk_fault(walk, "type", "must be %.*s", LIMEN_STR_ARG(buf_str(&words)));
}

bool walk_fault_values(struct walk *walk, const struct value_rules *rules)
{
    if (walk->faults == NULL)
        return false;
    const struct json_doc *doc = &rules->enumeration;
    if (doc->text.len > ENUMERATION_CUT)
        return walk_fault(walk, "enum", "is not one of the values that are allowed");
    char memory[ENUMERATION_CUT * 2];
    struct buf words;
    buf_init_fixed(&words, memory, sizeof memory);
    for (uint32_t at = 1; at < doc->count; at = doc->tape[at].next) {
        if (words.len > 0)
            BUF_ADD(&words, ", ");
        buf_add(&words, str_slice(doc->text, doc->tape[at].from, doc->tape[at].to));
    }
    return walk_fault(walk, "enum", "must be one of %.*s", LIMEN_STR_ARG(buf_str(&words)));
}
