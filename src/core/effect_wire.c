/* effect_wire.c - the checks of both ends: every length against its room, every byte of a text. */
#include "core/effect_wire.h"

#include "core/str.h"

_Static_assert(sizeof(struct effect_answer) <= LIMIT_FETCH_BODY_BYTES, "an answer is the body of a fetch's");

bool effect_request_fill(struct effect_request *request, limen_str key, limen_str object, limen_str payload)
{
    if (key.len > LIMIT_EFFECT_KEY_BYTES || object.len > LIMIT_EFFECT_WORD_BYTES || payload.len > LIMIT_EFFECT_BYTES)
        return false;
    struct buf out;
    buf_init_fixed(&out, request->bytes, sizeof(request->bytes));
    buf_add(&out, key);
    buf_add(&out, object);
    buf_add(&out, payload);
    request->key_bytes = (uint32_t)key.len;
    request->object_bytes = (uint32_t)object.len;
    request->payload_bytes = (uint32_t)payload.len;
    return !out.failed;
}

bool effect_request_is_sound(const struct effect_request *request, size_t received)
{
    if (received < EFFECT_REQUEST_HEAD_BYTES || received > sizeof(*request))
        return false;
    return request->head.target >= FETCH_EFFECTS && request->head.target < FETCH_EFFECTS + LIMIT_EFFECTS_AT_ONCE
        && request->question < EFFECT_QUESTIONS && request->key_bytes > 0
        && request->key_bytes <= LIMIT_EFFECT_KEY_BYTES && request->object_bytes <= LIMIT_EFFECT_WORD_BYTES
        && request->payload_bytes <= LIMIT_EFFECT_BYTES && effect_request_bytes(request) == received;
}

static bool is_printable(char c)
{
    return c >= 0x20 && c < 0x7f;
}

static void copy(char *ret_bytes, limen_str text)
{
    for (size_t i = 0; i < text.len; i++)
        ret_bytes[i] = is_printable(text.ptr[i]) ? text.ptr[i] : '?';
}

void effect_answer_word(char *ret_word, uint32_t *ret_bytes, limen_str word)
{
    *ret_bytes = word.len <= LIMIT_EFFECT_WORD_BYTES ? (uint32_t)word.len : 0;
    copy(ret_word, str_slice(word, 0, *ret_bytes));
}

void effect_answer_note(struct effect_answer *answer, limen_str note)
{
    note = str_slice(note, 0, sizeof(answer->note));
    answer->note_bytes = (uint32_t)note.len;
    copy(answer->note, note);
}

static bool is_sound(const char *bytes, uint32_t count, size_t room)
{
    if (count > room)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_printable(bytes[i]))
            return false;
    }
    return true;
}

bool effect_answer_is_sound(const struct effect_answer *answer, size_t received)
{
    return received == sizeof(*answer) && answer->outcome < EFFECT_OUTCOMES
        && is_sound(answer->object, answer->object_bytes, sizeof(answer->object))
        && is_sound(answer->state, answer->state_bytes, sizeof(answer->state))
        && is_sound(answer->code, answer->code_bytes, sizeof(answer->code))
        && is_sound(answer->note, answer->note_bytes, sizeof(answer->note));
}
