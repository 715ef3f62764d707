/* http1_chunked.c - the chunked coding (RFC 9112 7.1), decoded in place, however the bytes were cut into pieces.
 *
 * A machine with one state a byte of syntax; runs of content are moved as a whole. What stands beside the content (sizes,
 * extensions, trailers) may not be more than the content itself and a fixed allowance. */
#include "edge/http1.h"

#include "core/str.h"
#include "edge/chars.h"

enum chunk_state {
    SIZE_FIRST, /* zeroed: the first digit of a size */
    SIZE,
    SIZE_SPACE, /* after a size: only an extension may follow */
    EXT_START,  /* after ';' */
    EXT_NAME,
    EXT_NAME_SPACE,
    EXT_EQUALS, /* after '=' */
    EXT_VALUE,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_QUOTED_END,
    EXT_SPACE, /* after a value: only another extension may follow */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    ENDED
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool add_digit(struct http1_chunks *chunks, char c)
{
    unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
    if (chunks->left >> 59 != 0) /* keeps sums of sizes far from overflow */
        return false;
    chunks->left = chunks->left << 4 | digit;
    return true;
}

/* What may follow an extension's name or value. */
static int after_extension(char c, bool may_have_value)
{
    if (c == '\r')
        return SIZE_LF;
    if (c == ';')
        return EXT_START;
    if (c == '=' && may_have_value)
        return EXT_EQUALS;
    if (is_space(c))
        return may_have_value ? EXT_NAME_SPACE : EXT_SPACE;
    return -1;
}

/* One byte of a chunk's first line. The next state, or -1. */
static int step_size(struct http1_chunks *chunks, char c)
{
    switch ((enum chunk_state)chunks->state) {
    case SIZE_FIRST:
        chunks->left = 0;
        chunks->extension = 0;
        return char_is(c, CHAR_HEX) && add_digit(chunks, c) ? SIZE : -1;
    case SIZE:
        if (char_is(c, CHAR_HEX))
            return add_digit(chunks, c) ? SIZE : -1;
        if (is_space(c))
            return SIZE_SPACE;
        return c == ';' ? EXT_START : c == '\r' ? SIZE_LF : -1;
    case SIZE_SPACE:
        return is_space(c) ? SIZE_SPACE : c == ';' ? EXT_START : -1;
    case SIZE_LF:
        if (c != '\n')
            return -1;
        return chunks->left > 0 ? DATA : TRAILER_START;
    default:
        return -1;
    }
}

/* One byte of a chunk's extensions. The next state, or -1. */
static int step_extension(struct http1_chunks *chunks, char c)
{
    if (++chunks->extension > LIMIT_CHUNK_EXTENSION_BYTES)
        return -1;
    switch ((enum chunk_state)chunks->state) {
    case EXT_START:
        return is_space(c) ? EXT_START : char_is(c, CHAR_TOKEN) ? EXT_NAME : -1;
    case EXT_NAME:
        return char_is(c, CHAR_TOKEN) ? EXT_NAME : after_extension(c, /* may_have_value= */ true);
    case EXT_NAME_SPACE:
        return is_space(c) ? EXT_NAME_SPACE : c == '=' ? EXT_EQUALS : c == ';' ? EXT_START : -1;
    case EXT_EQUALS:
        return is_space(c) ? EXT_EQUALS : c == '"' ? EXT_QUOTED : char_is(c, CHAR_TOKEN) ? EXT_VALUE : -1;
    case EXT_VALUE:
        return char_is(c, CHAR_TOKEN) ? EXT_VALUE : after_extension(c, /* may_have_value= */ false);
    case EXT_QUOTED:
        return c == '"' ? EXT_QUOTED_END : c == '\\' ? EXT_ESCAPED : char_is(c, CHAR_TEXT) ? EXT_QUOTED : -1;
    case EXT_ESCAPED:
        return char_is(c, CHAR_TEXT) ? EXT_QUOTED : -1;
    case EXT_QUOTED_END:
        return after_extension(c, /* may_have_value= */ false);
    case EXT_SPACE:
        return is_space(c) ? EXT_SPACE : c == ';' ? EXT_START : -1;
    default:
        return -1;
    }
}

/* RFC 9110 6.5.1: what frames, routes or describes the message has no place behind it. */
static bool trailer_is_allowed(const struct http1_chunks *chunks)
{
    static const limen_str refused[] = {
        LIMEN_STR_INIT("content-length"), LIMEN_STR_INIT("transfer-encoding"), LIMEN_STR_INIT("host"),
        LIMEN_STR_INIT("content-type"),   LIMEN_STR_INIT("content-encoding"),  LIMEN_STR_INIT("authorization"),
        LIMEN_STR_INIT("cookie")
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (str_equal(str_make(chunks->name, chunks->name_bytes), refused[i]))
            return false;
    return true;
}

static void add_to_name(struct http1_chunks *chunks, char c)
{
    if (chunks->name_bytes < sizeof(chunks->name))
        chunks->name[chunks->name_bytes++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static int step_trailer(struct http1_chunks *chunks, char c)
{
    switch ((enum chunk_state)chunks->state) {
    case TRAILER_START:
        if (c == '\r')
            return LAST_LF;
        chunks->name_bytes = 0;
        add_to_name(chunks, c);
        return char_is(c, CHAR_TOKEN) ? TRAILER_NAME : -1;
    case TRAILER_NAME:
        if (c == ':')
            return trailer_is_allowed(chunks) ? TRAILER_VALUE : -1;
        add_to_name(chunks, c);
        return char_is(c, CHAR_TOKEN) ? TRAILER_NAME : -1;
    case TRAILER_VALUE:
        return c == '\r' ? TRAILER_LF : char_is(c, CHAR_TEXT) ? TRAILER_VALUE : -1;
    case TRAILER_LF:
        return c == '\n' ? TRAILER_START : -1;
    case LAST_LF:
        return c == '\n' ? ENDED : -1;
    default:
        return -1;
    }
}

/* One byte that is not content. The next state, or -1. */
static int step(struct http1_chunks *chunks, char c)
{
    if (++chunks->overhead > LIMIT_CHUNKED_OVERHEAD_BYTES + chunks->content)
        return -1;
    switch ((enum chunk_state)chunks->state) {
    case SIZE_FIRST:
    case SIZE:
    case SIZE_SPACE:
    case SIZE_LF:
        return step_size(chunks, c);
    case DATA_CR:
        return c == '\r' ? DATA_LF : -1;
    case DATA_LF:
        return c == '\n' ? SIZE_FIRST : -1;
    case TRAILER_START:
    case TRAILER_NAME:
    case TRAILER_VALUE:
    case TRAILER_LF:
    case LAST_LF:
        return step_trailer(chunks, c);
    default:
        return step_extension(chunks, c);
    }
}

enum http1_outcome http1_dechunk(struct http1_chunks *chunks, char *data, size_t bytes, size_t *ret_used,
                                 size_t *ret_content, const char **ret_why)
{
    size_t at = 0, content = 0;
    while (at < bytes && chunks->state != ENDED) {
        if (chunks->state == DATA) {
            size_t run = bytes - at < chunks->left ? bytes - at : (size_t)chunks->left;
            memmove(data + content, data + at, run);
            at += run;
            content += run;
            chunks->content += run;
            chunks->left -= run;
            if (chunks->left == 0)
                chunks->state = DATA_CR;
            continue;
        }
        int next = step(chunks, data[at++]);
        if (next < 0) {
            *ret_why = "the chunked coding is malformed or holds too little content";
            return HTTP1_REFUSED;
        }
        chunks->state = (uint8_t)next;
    }
    *ret_used = at;
    *ret_content = content;
    return chunks->state == ENDED ? HTTP1_OK : HTTP1_MORE;
}
