/* effect_wire.h - one effect, as the data role hands it to the outbound role, and what came of it.
 *
 * They travel among the fetches (core/fetch_wire.h): a request whose target is FETCH_EFFECTS or more is a struct effect_request, and
 * the body of its answer is a struct effect_answer - never a stranger's bytes, for the data role has the database's credential. Whoever
 * took over the data role can have effects done that an app's statements could have asked for, and reach no other host. */
#ifndef CORE_EFFECT_WIRE_H
#define CORE_EFFECT_WIRE_H

#include "core/fetch_wire.h"

#define FETCH_EFFECTS LIMIT_FETCH_TARGETS /* the first of LIMIT_EFFECTS_AT_ONCE places */

enum effect_question {
    EFFECT_DO,      /* with the effect's key: the first time it is done, and afterwards its answer is told again */
    EFFECT_LOOK_UP, /* what has become of the object that it made */
    EFFECT_FIND, /* is there an object with this key? For one that is so old that the provider may have forgotten the key */
    EFFECT_QUESTIONS
};

enum effect_outcome {
    EFFECT_SUCCEEDED,
    EFFECT_DECLINED,
    EFFECT_PROCESSING, /* it is not decided yet */
    EFFECT_REFUSED,    /* the provider does not take such a request, however often it is sent: an operator's */
    EFFECT_NOT_FOUND,  /* FIND: there is none; LOOK_UP: the provider knows no such object */
    EFFECT_UNKNOWN,    /* to be asked again with the same key */
    EFFECT_OUTCOMES
};

/* data -> outbound. */
struct effect_request {
    struct fetch_request head; /* target: FETCH_EFFECTS and the place */
    uint32_t kind;             /* enum effect_kind */
    uint32_t question;
    uint32_t until_s; /* since 1970: then nobody waits for an answer any longer, and another may work on the effect */
    uint32_t key_bytes, object_bytes, payload_bytes;
    char bytes[LIMIT_EFFECT_KEY_BYTES + LIMIT_EFFECT_WORD_BYTES + LIMIT_EFFECT_BYTES]; /* key, object, payload */
};
#define EFFECT_REQUEST_HEAD_BYTES offsetof(struct effect_request, bytes)

/* Texts are of printable ASCII. */
struct effect_answer {
    uint32_t outcome;
    uint32_t wait_s; /* the provider wants to be left alone for so long; 0: it did not say */
    uint32_t object_bytes, state_bytes, code_bytes, note_bytes;
    char object[LIMIT_EFFECT_WORD_BYTES], state[LIMIT_EFFECT_WORD_BYTES], code[LIMIT_EFFECT_WORD_BYTES];
    char note[LIMIT_EFFECT_NOTE_BYTES]; /* for the operator */
};

/* Puts the texts in. False when one is too long. */
bool effect_request_fill(struct effect_request *request, limen_str key, limen_str object,
                         limen_str payload) LIMEN_MUST_CHECK;
static inline size_t effect_request_bytes(const struct effect_request *request)
{
    return EFFECT_REQUEST_HEAD_BYTES + request->key_bytes + request->object_bytes + request->payload_bytes;
}
static inline limen_str effect_request_key(const struct effect_request *request)
{
    return (limen_str){ request->bytes, request->key_bytes };
}
static inline limen_str effect_request_object(const struct effect_request *request)
{
    return (limen_str){ request->bytes + request->key_bytes, request->object_bytes };
}
static inline limen_str effect_request_payload(const struct effect_request *request)
{
    return (limen_str){ request->bytes + request->key_bytes + request->object_bytes, request->payload_bytes };
}
/* True when a message of `received` bytes is one that a data role may send. */
bool effect_request_is_sound(const struct effect_request *request, size_t received) LIMEN_MUST_CHECK;

/* Copies what fits, with '?' for what is no printable ASCII; a word that does not fit is left out, for a part of an id is none. */
void effect_answer_word(char *ret_word, uint32_t *ret_bytes, limen_str word);
void effect_answer_note(struct effect_answer *answer, limen_str note);
/* True when the body of an answer is one that an outbound role may send. */
bool effect_answer_is_sound(const struct effect_answer *answer, size_t received) LIMEN_MUST_CHECK;
static inline limen_str effect_answer_text(const char *bytes, uint32_t count)
{
    return (limen_str){ bytes, count };
}

#endif
