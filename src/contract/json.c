/* json.c - JSON text to a tape, in one pass and without recursion.
 *
 * A value is appended when its first byte is seen; a container is completed when its closing bracket is. The open containers
 * stand on a small stack, so hostile nesting costs nothing but a refusal. Strings are slices of the text unless they hold an
 * escape, and then their decoded bytes are in the arena.
 *
 * What changes with every byte is in a cursor. All functions that take one are inlined into parse_document, so that it lives in
 * registers; the rare ways out of it get the parser. */
#include "contract/json_internal.h"

#include "contract/name.h"
#include "core/arena.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/str.h"

#include <string.h>

#define FEW_MEMBERS 16U  /* up to here names are compared pair by pair; above, in a hash set */
#define SHORT_TEXT 1024U /* the tape of a shorter one is made as long as it could ever need */

#define INLINED static inline __attribute__((always_inline))

struct open_container {
    uint32_t index;  /* on the tape */
    uint32_t count;  /* items or members so far */
    uint64_t names;  /* a bit for each name so far, see name_bit */
    bool may_repeat; /* two names had the same bit */
    uint8_t closing; /* the bracket that it waits for; 0 for the document, which waits for none */
};

struct cursor {
    const uint8_t *at, *start, *end; /* of the text */
    struct json_value *tape, *next,
        *limit; /* the root's entry, the next one to fill, the one that there is no room for */
};

struct parser {
    const uint8_t *start, *end;
    struct arena *arena;
    uint32_t capacity, ceiling; /* of the tape: entries that there is room for, and that there may be */
    /* The hash set of names, made when the first large object closes and used again for the next. Keyed, because the client
     * chooses the names. */
    uint32_t *slots;
    uint32_t slot_count;
    struct hash_key key;
    const uint8_t *twice_at; /* the first name seen to be in its object already; NULL: none */
    enum json_outcome outcome;
    const uint8_t *wrong_at;
    const char *what;
};

static bool fail(struct parser *p, enum json_outcome outcome, const uint8_t *at, const char *what)
{
    p->outcome = outcome;
    p->wrong_at = at;
    p->what = what;
    return false;
}

/* ---- the tape -------------------------------------------------------------------------------------------------- */
/* No text has more values than this: each is the root, or stands behind a bracket, a comma or a colon. */
static size_t most_values(const uint8_t *at, const uint8_t *end)
{
    size_t count = 1;
#ifdef __SSE2__
    const __m128i comma = _mm_set1_epi8(','), colon = _mm_set1_epi8(':'), bracket = _mm_set1_epi8('['),
                  brace = _mm_set1_epi8('{');
    while (end - at >= 16) {
        const uint8_t *pause = end - at > 255 * 16 ? at + 255 * 16
                                                   : at + (end - at) / 16 * 16; /* before a byte counter overflows */
        __m128i counters = _mm_setzero_si128();
        for (; at < pause; at += 16) {
            const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
            const __m128i hits = _mm_or_si128(
                _mm_or_si128(_mm_cmpeq_epi8(bytes, comma), _mm_cmpeq_epi8(bytes, colon)),
                _mm_or_si128(_mm_cmpeq_epi8(bytes, bracket), _mm_cmpeq_epi8(bytes, brace)));
            counters = _mm_sub_epi8(counters, hits); /* a hit is -1 */
        }
        const __m128i sums = _mm_sad_epu8(counters, _mm_setzero_si128());
        count += (size_t)_mm_cvtsi128_si32(sums) + (size_t)_mm_cvtsi128_si32(_mm_srli_si128(sums, 8));
    }
#endif
    for (; at < end; at++)
        count += *at == ',' || *at == ':' || *at == '[' || *at == '{';
    return count;
}

/* Nor more than this: a value has a byte and one that sets it apart from the next; only what is left open at the end has not. */
static uint32_t values_within(size_t text_bytes, uint32_t most)
{
    const size_t room = (text_bytes + LIMIT_JSON_DEPTH) / 2 + 2;
    return room < most ? (uint32_t)room : most;
}

size_t json_memory_bytes(size_t text_bytes, uint32_t most)
{
    const size_t values = values_within(text_bytes, most), most_decoded = text_bytes / 5; /* of `"\\n",` */
    const size_t tape = values * sizeof(struct json_value);
    const size_t names = values * 4 * sizeof(uint32_t); /* the hash sets of the largest object, at all their sizes */
    const size_t strings = text_bytes + 15 * (values < most_decoded ? values : most_decoded);
    return tape + names + strings;
}

/* The first tape, or NULL after fail(). `most` values are of interest. */
static struct json_value *tape_new(struct parser *p, uint32_t most)
{
    const size_t len = (size_t)(p->end - p->start);
    p->ceiling = p->capacity = values_within(len, most);
    if (len > SHORT_TEXT) {
        const size_t present = most_values(p->start, p->end);
        p->ceiling = present < p->ceiling ? (uint32_t)present : p->ceiling;
        /* Commas inside of strings make the count too high: a fourth of the text is enough for most. */
        p->capacity = p->ceiling > len / 4 ? (uint32_t)(len / 4) : p->ceiling;
    }
    struct json_value *tape = arena_alloc(p->arena, p->capacity * sizeof(*tape));
    if (tape == NULL)
        fail(p, JSON_NO_MEMORY, p->start, "out of memory");
    return tape;
}

/* A longer tape with the same entries, for a value at `at`; NULL after fail(). */
static __attribute__((noinline)) struct json_value *tape_grow(struct parser *p, struct json_value *tape,
                                                              const uint8_t *at)
{
    struct json_value *larger = NULL;
    if (p->capacity >= p->ceiling)
        fail(p, JSON_TOO_MANY_VALUES, at, "the document has too many values");
    else if ((larger = arena_grow(p->arena, tape, p->capacity * sizeof(*tape), p->ceiling * sizeof(*tape))) == NULL)
        fail(p, JSON_NO_MEMORY, at, "out of memory");
    p->capacity = p->ceiling;
    return larger;
}

/* Makes sure that there is room for one more entry. The tape moves when it grows: pointers into it are not to be kept. */
INLINED bool tape_has_room(struct parser *p, struct cursor *c)
{
    if (c->next < c->limit)
        return true;
    const ptrdiff_t count = c->next - c->tape;
    c->tape = tape_grow(p, c->tape, c->at);
    if (c->tape == NULL)
        return false;
    c->next = c->tape + count;
    c->limit = c->tape + p->capacity;
    return true;
}

/* Completes the entry at `c->next` for a scalar from `from` up to the cursor. */
INLINED void tape_push(struct cursor *c, enum json_type type, const uint8_t *from)
{
    struct json_value *value = c->next++;
    value->type = (uint8_t)type;
    value->is_integer = false;
    value->next = (uint32_t)(c->next - c->tape);
    value->from = (uint32_t)(from - c->start);
    value->to = (uint32_t)(c->at - c->start);
}

/* ---- the text -------------------------------------------------------------------------------------------------- */
INLINED void skip_space(struct cursor *c)
{
    while (c->at < c->end && *c->at <= ' ' && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r'))
        c->at++;
}

/* The byte at hand; 0 at the end, which no rule of the grammar accepts. */
INLINED uint8_t peek(const struct cursor *c)
{
    return c->at < c->end ? *c->at : 0;
}

/* ---- scalars --------------------------------------------------------------------------------------------------- */
/* The rest of a string that is not plain, see json_string_read. Returns the byte behind it, or NULL after fail(). */
static __attribute__((noinline)) const uint8_t *finish_string(struct parser *p, const uint8_t *from,
                                                              const uint8_t *special, struct json_value *value)
{
    const uint8_t *behind;
    const char *what;
    const enum json_outcome outcome = json_string_read(from, special, p->end, p->arena, value, &behind, &what);
    return outcome == JSON_OK || fail(p, outcome, behind, what) ? behind : NULL;
}

/* The cursor is at the opening quote. */
INLINED bool parse_string(struct parser *p, struct cursor *c)
{
    const uint8_t *from = c->at, *text = from + 1;
    const uint8_t *at = json_skip_plain(c->start, text, c->end);
    if (at < c->end && *at == '"') {
        c->next->as.text = (const char *)text;
        c->next->length = (uint32_t)(at - text);
        c->at = at + 1;
    } else if ((c->at = finish_string(p, text, at, c->next)) == NULL) {
        return false;
    }
    tape_push(c, JSON_STRING, from);
    return true;
}

INLINED bool parse_word(struct parser *p, struct cursor *c, enum json_type type, const char *word, size_t length)
{
    const uint8_t *from = c->at;
    if ((size_t)(c->end - from) < length || memcmp(from, word, length) != 0)
        return fail(p, JSON_MALFORMED, from, "a value is expected here");
    c->at += length;
    c->next->length = 0;
    tape_push(c, type, from);
    return true;
}

/* Any number, see json_number_read. Returns the byte behind it, or NULL after fail(). */
static __attribute__((noinline)) const uint8_t *read_number(struct parser *p, const uint8_t *from,
                                                            struct json_value *value)
{
    const uint8_t *behind;
    const char *what;
    const enum json_outcome outcome = json_number_read(from, p->end, value, &behind, &what);
    return outcome == JSON_OK || fail(p, outcome, behind, what) ? behind : NULL;
}

INLINED bool parse_number(struct parser *p, struct cursor *c)
{
    /* Most numbers are short, whole and not negative: read them here. */
    const uint8_t *from = c->at, *at = from, *stop = c->end - from > 18 ? from + 18 : c->end;
    int64_t integer = 0;
    while (at < stop && (uint8_t)(*at - '0') <= 9)
        integer = integer * 10 + (*at++ - '0');
    const bool is_plain = at != from && (*from != '0' || at - from == 1)
        && (at == c->end || (*at != '.' && (*at | 0x20) != 'e' && (uint8_t)(*at - '0') > 9));
    if (is_plain) {
        c->next->as.integer = integer;
        c->next->length = 0;
        c->at = at;
        tape_push(c, JSON_INT, from);
        return true;
    }
    struct json_value number = { 0 };
    c->at = read_number(p, from, &number);
    if (c->at == NULL)
        return false;
    c->next->as = number.as;
    c->next->length = 0;
    tape_push(c, number.type, from);
    c->next[-1].is_integer = number.is_integer;
    return true;
}

INLINED bool parse_scalar(struct parser *p, struct cursor *c, uint8_t first)
{
    if (!tape_has_room(p, c))
        return false;
    if (first == '"')
        return parse_string(p, c);
    if (first == '-' || (uint8_t)(first - '0') <= 9)
        return parse_number(p, c);
    switch (first) {
    case 't':
        return parse_word(p, c, JSON_TRUE, "true", 4);
    case 'f':
        return parse_word(p, c, JSON_FALSE, "false", 5);
    case 'n':
        return parse_word(p, c, JSON_NULL, "null", 4);
    default:
        return fail(p, JSON_MALFORMED, c->at, c->at < c->end ? "a value is expected here" : "the text ends too early");
    }
}

/* ---- member names ---------------------------------------------------------------------------------------------- */
/* One of 64 bits, the same for equal names: while a name's bit is new in its object, so is the name. Of an empty name the first byte
 * is the quote behind it. */
INLINED uint64_t name_bit(const char *name, uint32_t length)
{
    return UINT64_C(1) << ((uint8_t)name[0] + length * 8) % 64;
}

static bool names_equal(const struct json_value *a, const struct json_value *b)
{
    return a->length == b->length && memcmp(a->as.text, b->as.text, a->length) == 0;
}

/* The rest is read all the same: a text that is not JSON is called that. */
static bool note_duplicate(struct parser *p, const struct json_value *name)
{
    if (p->twice_at == NULL)
        p->twice_at = p->start + name->from;
    return true;
}

static bool check_few_names(struct parser *p, const struct json_value *tape, uint32_t object, uint32_t members)
{
    struct {
        struct name_mark mark;
        const struct json_value *name;
    } seen[FEW_MEMBERS];
    const struct json_value *name = &tape[object + 1];
    for (uint32_t i = 0; i < members; i++) {
        const struct name_mark mark = name_mark_of(name->as.text, name->length);
        for (uint32_t j = 0; j < i; j++) {
            if (name_mark_equal(mark, seen[j].mark) && names_equal(name, seen[j].name))
                return note_duplicate(p, name);
        }
        seen[i].mark = mark;
        seen[i].name = name;
        name = &tape[name[1].next];
    }
    return true;
}

/* Empties the hash set and makes it at least twice as large as the object. */
static bool slots_clear(struct parser *p, uint32_t members)
{
    if (p->slots == NULL)
        hash_key_random(&p->key);
    uint32_t wanted = 4 * FEW_MEMBERS;
    while (wanted < members * 2)
        wanted *= 2;
    if (wanted > p->slot_count) {
        p->slots = arena_alloc(p->arena, wanted * sizeof(*p->slots));
        p->slot_count = p->slots != NULL ? wanted : 0;
        if (p->slots == NULL)
            return fail(p, JSON_NO_MEMORY, p->end, "out of memory");
    }
    /* Only the part that this object uses, so that many small objects behind one large one stay cheap. */
    memset(p->slots, 0, wanted * sizeof(*p->slots));
    return true;
}

static bool check_many_names(struct parser *p, const struct json_value *tape, uint32_t object, uint32_t members)
{
    if (!slots_clear(p, members))
        return false;
    uint32_t mask = 4 * FEW_MEMBERS;
    while (mask < members * 2)
        mask *= 2;
    mask--;
    uint32_t at = object + 1;
    for (uint32_t i = 0; i < members; i++) {
        const struct json_value *name = &tape[at];
        uint32_t slot = (uint32_t)hash_bytes(&p->key, name->as.text, name->length) & mask;
        for (; p->slots[slot] != 0; slot = (slot + 1) & mask) { /* 0 is the root: never a name */
            if (names_equal(name, &tape[p->slots[slot]]))
                return note_duplicate(p, name);
        }
        p->slots[slot] = at;
        at = tape[at + 1].next;
    }
    return true;
}

static __attribute__((noinline)) bool check_names(struct parser *p, const struct json_value *tape, uint32_t object,
                                                  uint32_t members)
{
    return members <= FEW_MEMBERS ? check_few_names(p, tape, object, members)
                                  : check_many_names(p, tape, object, members);
}

/* ---- structure ------------------------------------------------------------------------------------------------- */
/* A member's name and the colon behind it, up to the value. */
INLINED bool parse_name(struct parser *p, struct cursor *c, struct open_container *object)
{
    if (peek(c) != '"')
        return fail(p, JSON_MALFORMED, c->at, "a member name in quotes is expected here");
    if (!tape_has_room(p, c) || !parse_string(p, c))
        return false;
    const uint64_t bit = name_bit(c->next[-1].as.text, c->next[-1].length);
    object->may_repeat = object->may_repeat || (object->names & bit) != 0;
    object->names |= bit;
    skip_space(c);
    if (peek(c) != ':')
        return fail(p, JSON_MALFORMED, c->at, "a colon is expected here");
    c->at++;
    skip_space(c);
    return true;
}

/* Begins the container whose bracket is at the cursor; `ret_container` is its place on the stack. */
INLINED bool open_container(struct parser *p, struct cursor *c, struct open_container *ret_container)
{
    if (!tape_has_room(p, c))
        return false;
    const bool is_object = *c->at == '{';
    *ret_container = (struct open_container){ .index = (uint32_t)(c->next - c->tape),
                                              .closing = is_object ? '}' : ']' };
    c->next->type = is_object ? JSON_OBJECT : JSON_ARRAY;
    c->next->is_integer = false;
    c->next->from = (uint32_t)(c->at - c->start);
    c->next++;
    c->at++;
    skip_space(c);
    return true;
}

/* The cursor is at its closing bracket. */
INLINED bool close_container(struct parser *p, struct cursor *c, const struct open_container *container)
{
    struct json_value *value = &c->tape[container->index];
    c->at++;
    value->next = (uint32_t)(c->next - c->tape);
    value->length = container->count;
    value->to = (uint32_t)(c->at - c->start);
    return !container->may_repeat || check_names(p, c->tape, container->index, container->count);
}

/* From behind a value to the next one, closing the containers that end in between; `*in` is the document when none is left. */
INLINED bool step_on(struct parser *p, struct cursor *c, struct open_container **in)
{
    while ((*in)->closing != 0) {
        (*in)->count++;
        skip_space(c);
        const uint8_t next = peek(c);
        if (next == ',') {
            c->at++;
            skip_space(c);
            return true;
        }
        if (next != (*in)->closing)
            return fail(p, JSON_MALFORMED, c->at,
                        (*in)->closing == '}' ? "a comma or '}' is expected here" : "a comma or ']' is expected here");
        if (!close_container(p, c, (*in)--))
            return false;
    }
    return true;
}

static bool parse_document(struct parser *p, struct cursor c, struct json_doc *ret_doc)
{
    struct open_container open[1 + LIMIT_JSON_DEPTH]; /* the first is the document */
    struct open_container *in = open;
    *in = (struct open_container){ 0 };
    skip_space(&c);
    do {
        if (in->closing == '}' && !parse_name(p, &c, in))
            return false;
        const uint8_t first = peek(&c);
        if (first == '{' || first == '[') {
            if (in == open + LIMIT_JSON_DEPTH)
                return fail(p, JSON_TOO_DEEP, c.at, "the document is nested too deep");
            if (!open_container(p, &c, ++in))
                return false;
            if (peek(&c) != in->closing)
                continue;
            if (!close_container(p, &c, in--))
                return false;
        } else if (!parse_scalar(p, &c, first)) {
            return false;
        }
        if (!step_on(p, &c, &in))
            return false;
    } while (in != open);
    skip_space(&c);
    if (c.at != c.end)
        return fail(p, JSON_MALFORMED, c.at, "the document ends here, but the text goes on");
    if (p->twice_at != NULL)
        return fail(p, JSON_DUPLICATE_NAME, p->twice_at, "a member name occurs twice in an object");
    ret_doc->tape = c.tape;
    ret_doc->count = (uint32_t)(c.next - c.tape);
    return true;
}

enum json_outcome json_parse_within(limen_str text, uint32_t most, struct arena *arena, struct json_doc *ret_doc,
                                    struct json_error *ret_error)
{
    const uint8_t *start = (const uint8_t *)(text.len > 0 ? text.ptr : "");
    struct parser p = { .start = start, .end = start + text.len, .arena = arena };
    struct json_doc doc = { .text = text };
    if (text.len >= UINT32_MAX) {
        fail(&p, JSON_TOO_MANY_VALUES, start, "the text is too long");
    } else {
        struct cursor c = { .at = start, .start = start, .end = p.end };
        c.tape = c.next = tape_new(&p, most);
        c.limit = c.tape + p.capacity;
        if (c.tape != NULL && parse_document(&p, c, &doc))
            p.outcome = JSON_OK;
    }
    if (p.outcome == JSON_OK)
        *ret_doc = doc;
    else
        *ret_error = (struct json_error){ .at = (size_t)(p.wrong_at - p.start), .what = p.what };
    return p.outcome;
}

enum json_outcome json_parse(limen_str text, struct arena *arena, struct json_doc *ret_doc,
                             struct json_error *ret_error)
{
    return json_parse_within(text, LIMIT_JSON_VALUES, arena, ret_doc, ret_error);
}

uint32_t json_member(const struct json_doc *doc, uint32_t object, limen_str name)
{
    const struct json_value *tape = doc->tape;
    if (tape[object].type != JSON_OBJECT)
        return 0;
    for (uint32_t at = object + 1; at < tape[object].next; at = tape[at + 1].next) {
        if (tape[at].length == name.len && memcmp(tape[at].as.text, name.ptr, name.len) == 0)
            return at + 1;
    }
    return 0;
}
