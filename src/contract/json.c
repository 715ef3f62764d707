/* json.c - JSON text to a tape, in one pass and without recursion.
 *
 * A value is appended when its first byte is seen; a container is completed when its closing bracket is. The open containers
 * stand on a small stack, so hostile nesting costs nothing but a refusal. Strings are slices of the text unless they hold an
 * escape, and then their decoded bytes are in the arena. */
#include "contract/json_internal.h"

#include "contract/name.h"
#include "core/arena.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/str.h"

#include <string.h>

#define FEW_MEMBERS 16U /* up to here names are compared pair by pair; above, in a hash set */

struct open_container {
    uint32_t index; /* on the tape */
    uint32_t count; /* items or members so far */
};

struct parser {
    const uint8_t *start, *at, *end;
    struct json_value *tape;
    uint32_t count, capacity, ceiling;
    struct arena *arena;
    /* The hash set of names, made when the first large object closes and used again for the next. Keyed, because the client
     * chooses the names. */
    uint32_t *slots;
    uint32_t slot_count;
    struct hash_key key;
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

static bool tape_init(struct parser *p, limen_str text)
{
    const size_t most = most_values(p->start, p->end);
    p->ceiling = most < LIMIT_JSON_VALUES ? (uint32_t)most : LIMIT_JSON_VALUES;
    /* Commas inside of strings make the count too high: start with a fourth of the text, which is enough for most. */
    p->capacity = text.len > 1024 && p->ceiling > text.len / 4 ? (uint32_t)(text.len / 4) : p->ceiling;
    p->tape = arena_alloc(p->arena, p->capacity * sizeof(*p->tape));
    return p->tape != NULL || fail(p, JSON_NO_MEMORY, p->start, "out of memory");
}

static bool tape_grow(struct parser *p)
{
    if (p->capacity >= p->ceiling)
        return fail(p, JSON_TOO_MANY_VALUES, p->at, "the document has too many values");
    struct json_value *larger = arena_alloc(p->arena, p->ceiling * sizeof(*larger));
    if (larger == NULL)
        return fail(p, JSON_NO_MEMORY, p->at, "out of memory");
    memcpy(larger, p->tape, p->count * sizeof(*larger));
    p->tape = larger;
    p->capacity = p->ceiling;
    return true;
}

/* A new entry for the value that starts at `p->at`, or NULL. It moves when the tape grows: not to be kept. */
static inline struct json_value *tape_push(struct parser *p)
{
    if (p->count == p->capacity && !tape_grow(p))
        return NULL;
    struct json_value *value = &p->tape[p->count++];
    value->next = p->count;
    value->is_integer = false;
    value->length = 0;
    value->from = (uint32_t)(p->at - p->start);
    return value;
}

/* ---- strings --------------------------------------------------------------------------------------------------- */
/* Length of the well-formed UTF-8 sequence (RFC 3629) of two bytes or more at `at`; 0 when it is none. */
static size_t utf8_sequence(const uint8_t *at, const uint8_t *end)
{
    const ptrdiff_t left = end - at;
    const uint8_t lead = at[0];
    if (lead < 0xC2 || lead > 0xF4 || left < 2)
        return 0;
    uint8_t lowest = 0x80,
            highest = 0xBF; /* of the second byte: no overlong forms, no surrogates, nothing past U+10FFFF */
    if (lead == 0xE0)
        lowest = 0xA0;
    else if (lead == 0xED)
        highest = 0x9F;
    else if (lead == 0xF0)
        lowest = 0x90;
    else if (lead == 0xF4)
        highest = 0x8F;
    if (at[1] < lowest || at[1] > highest)
        return 0;
    const ptrdiff_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (left < length)
        return 0;
    for (ptrdiff_t i = 2; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    return (size_t)length;
}

/* The four hexadecimal digits at `at`, or -1. */
static int32_t hex4(const uint8_t *at, const uint8_t *end)
{
    if (end - at < 4)
        return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        const uint8_t c = at[i], lower = c | 0x20;
        if (c >= '0' && c <= '9')
            value = value << 4 | (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value << 4 | (lower - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static bool is_high_surrogate(int32_t unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}
static bool is_low_surrogate(int32_t unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* Length of the escape at `at`, which is a backslash; 0 after fail(). */
static size_t check_escape(struct parser *p, const uint8_t *at)
{
    if (p->end - at < 2) {
        fail(p, JSON_MALFORMED, p->end, "a string is not closed");
        return 0;
    }
    if (at[1] != 'u') {
        if (at[1] != 0 && strchr("\"\\/bfnrt", at[1]) != NULL)
            return 2;
        fail(p, JSON_MALFORMED, at, "an escape in a string is not one of JSON's");
        return 0;
    }
    const int32_t unit = hex4(at + 2, p->end);
    if (unit < 0) {
        fail(p, JSON_MALFORMED, at, "\\u is not followed by four hexadecimal digits");
        return 0;
    }
    if (!is_high_surrogate(unit) && !is_low_surrogate(unit))
        return 6;
    if (is_high_surrogate(unit) && p->end - at >= 12 && at[6] == '\\' && at[7] == 'u'
        && is_low_surrogate(hex4(at + 8, p->end)))
        return 12;
    fail(p, JSON_MALFORMED, at, "an escape names half of a surrogate pair");
    return 0;
}

static char *put_utf8(char *out, uint32_t point)
{
    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xC0 | point >> 6);
        *out++ = (char)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *out++ = (char)(0xE0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (point & 0x3F));
    } else {
        *out++ = (char)(0xF0 | point >> 18);
        *out++ = (char)(0x80 | (point >> 12 & 0x3F));
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (point & 0x3F));
    }
    return out;
}

/* Decodes one escape that check_escape has passed; moves `*at` behind it. */
static char *decode_escape(char *out, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *escape = *at;
    *at += 2;
    switch (escape[1]) {
    case 'b':
        *out = '\b';
        return out + 1;
    case 'f':
        *out = '\f';
        return out + 1;
    case 'n':
        *out = '\n';
        return out + 1;
    case 'r':
        *out = '\r';
        return out + 1;
    case 't':
        *out = '\t';
        return out + 1;
    case 'u':
        break;
    default:
        *out = (char)escape[1];
        return out + 1;
    }
    const int32_t unit = hex4(escape + 2, end);
    *at += 4;
    if (!is_high_surrogate(unit))
        return put_utf8(out, (uint32_t)unit);
    const int32_t low = hex4(escape + 8, end);
    *at += 6;
    return put_utf8(out, 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00));
}

/* The decoded form of a checked string; an escape is never shorter than what it stands for. */
static bool decode_string(struct parser *p, const uint8_t *at, const uint8_t *end, struct json_value *value)
{
    char *text = arena_alloc(p->arena, (size_t)(end - at));
    if (text == NULL)
        return fail(p, JSON_NO_MEMORY, at, "out of memory");
    char *out = text;
    while (at < end) {
        const uint8_t *escape = memchr(at, '\\', (size_t)(end - at));
        const size_t plain = (size_t)((escape != NULL ? escape : end) - at);
        memcpy(out, at, plain);
        out += plain;
        at += plain;
        if (escape != NULL)
            out = decode_escape(out, &at, end);
    }
    value->as.text = text;
    value->length = (uint32_t)(out - text);
    return true;
}

/* The rest of a string whose first special byte is at `at`. Leaves `p->at` behind the closing quote. */
static __attribute__((noinline)) bool finish_string(struct parser *p, const uint8_t *from, const uint8_t *at,
                                                    struct json_value *value)
{
    bool has_escape = false;
    for (;;) {
        if (at == p->end)
            return fail(p, JSON_MALFORMED, at, "a string is not closed");
        if (*at == '"')
            break;
        size_t length;
        if (*at == '\\') {
            has_escape = true;
            length = check_escape(p, at);
            if (length == 0)
                return false;
        } else if (*at >= 0x80) {
            length = utf8_sequence(at, p->end);
            if (length == 0)
                return fail(p, JSON_BAD_UTF8, at, "a string is not UTF-8");
        } else {
            return fail(p, JSON_MALFORMED, at, "a control character in a string is not escaped");
        }
        at += length;
        if (at < p->end && json_is_plain(*at))
            at = json_skip_plain(at, p->end);
    }
    p->at = at + 1;
    if (has_escape)
        return decode_string(p, from, at, value);
    value->as.text = (const char *)from;
    value->length = (uint32_t)(at - from);
    return true;
}

/* `p->at` is the opening quote. */
static inline bool parse_string(struct parser *p, struct json_value *value)
{
    const uint8_t *from = p->at + 1;
    const uint8_t *at = json_skip_plain(from, p->end);
    value->type = JSON_STRING;
    if (at < p->end && *at == '"') {
        value->as.text = (const char *)from;
        value->length = (uint32_t)(at - from);
        p->at = at + 1;
    } else if (!finish_string(p, from, at, value)) {
        return false;
    }
    value->to = (uint32_t)(p->at - p->start);
    return true;
}

/* ---- other scalars --------------------------------------------------------------------------------------------- */
static bool parse_word(struct parser *p, struct json_value *value, enum json_type type, const char *word, size_t length)
{
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0)
        return fail(p, JSON_MALFORMED, p->at, "a value is expected here");
    value->type = (uint8_t)type;
    p->at += length;
    value->to = (uint32_t)(p->at - p->start);
    return true;
}

static inline bool parse_number(struct parser *p, struct json_value *value)
{
    /* Most numbers are short, whole and not negative: read them here. */
    const uint8_t *at = p->at;
    int64_t integer = 0;
    while (at < p->end && at - p->at < 18 && (uint8_t)(*at - '0') <= 9)
        integer = integer * 10 + (*at++ - '0');
    const bool is_plain = at != p->at && (*p->at != '0' || at - p->at == 1)
        && (at == p->end || (*at != '.' && (*at | 0x20) != 'e' && (uint8_t)(*at - '0') > 9));
    if (is_plain) {
        value->type = JSON_INT;
        value->as.integer = integer;
    } else {
        const char *what;
        const enum json_outcome outcome = json_number_read(p->at, p->end, value, &at, &what);
        if (outcome != JSON_OK)
            return fail(p, outcome, at, what);
    }
    p->at = at;
    value->to = (uint32_t)(p->at - p->start);
    return true;
}

/* ---- member names ---------------------------------------------------------------------------------------------- */
static bool names_equal(const struct json_value *a, const struct json_value *b)
{
    return a->length == b->length && memcmp(a->as.text, b->as.text, a->length) == 0;
}

static bool fail_duplicate(struct parser *p, const struct json_value *name)
{
    return fail(p, JSON_DUPLICATE_NAME, p->start + name->from, "a member name occurs twice in an object");
}

static bool check_few_names(struct parser *p, uint32_t object, uint32_t members)
{
    struct {
        struct name_mark mark;
        const struct json_value *name;
    } seen[FEW_MEMBERS];
    const struct json_value *name = &p->tape[object + 1];
    for (uint32_t i = 0; i < members; i++) {
        const struct name_mark mark = name_mark_of(name->as.text, name->length);
        for (uint32_t j = 0; j < i; j++) {
            if (name_mark_equal(mark, seen[j].mark) && names_equal(name, seen[j].name))
                return fail_duplicate(p, name);
        }
        seen[i].mark = mark;
        seen[i].name = name;
        name = &p->tape[name[1].next];
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
            return fail(p, JSON_NO_MEMORY, p->at, "out of memory");
    }
    /* Only the part that this object uses, so that many small objects behind one large one stay cheap. */
    memset(p->slots, 0, wanted * sizeof(*p->slots));
    return true;
}

static bool check_many_names(struct parser *p, uint32_t object, uint32_t members)
{
    if (!slots_clear(p, members))
        return false;
    uint32_t mask = 4 * FEW_MEMBERS;
    while (mask < members * 2)
        mask *= 2;
    mask--;
    uint32_t at = object + 1;
    for (uint32_t i = 0; i < members; i++) {
        const struct json_value *name = &p->tape[at];
        uint32_t slot = (uint32_t)hash_bytes(&p->key, name->as.text, name->length) & mask;
        for (; p->slots[slot] != 0; slot = (slot + 1) & mask) { /* 0 is the root: never a name */
            if (names_equal(name, &p->tape[p->slots[slot]]))
                return fail_duplicate(p, name);
        }
        p->slots[slot] = at;
        at = p->tape[at + 1].next;
    }
    return true;
}

static inline bool check_names(struct parser *p, uint32_t object, uint32_t members)
{
    if (members < 2)
        return true;
    return members <= FEW_MEMBERS ? check_few_names(p, object, members) : check_many_names(p, object, members);
}

/* ---- structure ------------------------------------------------------------------------------------------------- */
static inline void skip_space(struct parser *p)
{
    while (p->at < p->end && *p->at <= ' ' && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
}

/* The byte at hand; 0 at the end, which no rule of the grammar accepts. */
static inline uint8_t peek(const struct parser *p)
{
    return p->at < p->end ? *p->at : 0;
}

static inline bool parse_scalar(struct parser *p, struct json_value *value)
{
    switch (peek(p)) {
    case '"':
        return parse_string(p, value);
    case 't':
        return parse_word(p, value, JSON_TRUE, "true", 4);
    case 'f':
        return parse_word(p, value, JSON_FALSE, "false", 5);
    case 'n':
        return parse_word(p, value, JSON_NULL, "null", 4);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return parse_number(p, value);
    default:
        return fail(p, JSON_MALFORMED, p->at, p->at < p->end ? "a value is expected here" : "the text ends too early");
    }
}

/* A member's name and the colon behind it. */
static inline bool parse_name(struct parser *p)
{
    if (peek(p) != '"')
        return fail(p, JSON_MALFORMED, p->at, "a member name in quotes is expected here");
    struct json_value *name = tape_push(p);
    if (name == NULL || !parse_string(p, name))
        return false;
    skip_space(p);
    if (peek(p) != ':')
        return fail(p, JSON_MALFORMED, p->at, "a colon is expected here");
    p->at++;
    skip_space(p);
    return true;
}

/* `p->at` is the closing bracket. */
static inline bool close_container(struct parser *p, const struct open_container *container)
{
    struct json_value *value = &p->tape[container->index];
    p->at++;
    value->next = p->count;
    value->length = container->count;
    value->to = (uint32_t)(p->at - p->start);
    return value->type == JSON_ARRAY || check_names(p, container->index, container->count);
}

/* Opens the container at `p->at`. `ret_is_empty` when it closes at once; otherwise `p->at` is at its first value. */
static inline bool open_container(struct parser *p, struct open_container *container, bool *ret_is_empty)
{
    const bool is_object = *p->at == '{';
    struct json_value *value = tape_push(p);
    if (value == NULL)
        return false;
    value->type = is_object ? JSON_OBJECT : JSON_ARRAY;
    *container = (struct open_container){ .index = p->count - 1 };
    p->at++;
    skip_space(p);
    *ret_is_empty = peek(p) == (is_object ? '}' : ']');
    if (*ret_is_empty)
        return close_container(p, container);
    return !is_object || parse_name(p);
}

/* What follows a value inside of containers: the next one's first byte (true), or the end of the outermost (`*depth` 0). */
static inline bool step_on(struct parser *p, struct open_container *open, uint32_t *depth)
{
    while (*depth > 0) {
        struct open_container *container = &open[*depth - 1];
        const bool is_object = p->tape[container->index].type == JSON_OBJECT;
        container->count++;
        skip_space(p);
        const uint8_t c = peek(p);
        if (c == ',') {
            p->at++;
            skip_space(p);
            return !is_object || parse_name(p);
        }
        if (c != (is_object ? '}' : ']'))
            return fail(p, JSON_MALFORMED, p->at,
                        is_object ? "a comma or '}' is expected here" : "a comma or ']' is expected here");
        if (!close_container(p, container))
            return false;
        (*depth)--;
    }
    return true;
}

static bool parse_document(struct parser *p)
{
    struct open_container open[LIMIT_JSON_DEPTH];
    uint32_t depth = 0;
    skip_space(p);
    do {
        const uint8_t c = peek(p);
        if (c == '{' || c == '[') {
            bool is_empty;
            if (depth == LIMIT_JSON_DEPTH)
                return fail(p, JSON_TOO_DEEP, p->at, "the document is nested too deep");
            if (!open_container(p, &open[depth], &is_empty))
                return false;
            if (!is_empty) {
                depth++;
                continue;
            }
        } else {
            struct json_value *value = tape_push(p);
            if (value == NULL || !parse_scalar(p, value))
                return false;
        }
        if (!step_on(p, open, &depth))
            return false;
    } while (depth > 0);
    skip_space(p);
    return p->at == p->end || fail(p, JSON_MALFORMED, p->at, "the document ends here, but the text goes on");
}

enum json_outcome json_parse(limen_str text, struct arena *arena, struct json_doc *ret_doc,
                             struct json_error *ret_error)
{
    const uint8_t *start = (const uint8_t *)(text.len > 0 ? text.ptr : "");
    struct parser p = { .start = start, .at = start, .end = start + text.len, .arena = arena };
    if (text.len >= UINT32_MAX)
        fail(&p, JSON_TOO_MANY_VALUES, start, "the text is too long");
    else if (tape_init(&p, text) && parse_document(&p))
        p.outcome = JSON_OK;
    if (p.outcome == JSON_OK)
        *ret_doc = (struct json_doc){ .tape = p.tape, .count = p.count, .text = text };
    else
        *ret_error = (struct json_error){ .at = (size_t)(p.wrong_at - p.start), .what = p.what };
    return p.outcome;
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
