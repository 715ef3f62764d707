/* stripe.c - effects as Stripe's requests, and Stripe's answers as outcomes.
 *
 * What is not known for certain is EFFECT_UNKNOWN: it is asked again with the same key, and the provider answers what it has done. Only
 * what the provider itself calls a decline is one, and only what it will never take is refused. */
#include "outbound/stripe.h"

#include "contract/json.h"
#include "core/arena.h"
#include "core/str.h"

#define PAYLOAD_VALUES 256U
#define ANSWER_VALUES 8192U
#define WAIT_SECONDS_MOST 3600

/* ---- what is sent -------------------------------------------------------------------------------------------------------- */

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'
        || c == '.' || c == '~';
}

/* Percent-encoded, but for `kept`. */
static void put_encoded(struct buf *out, limen_str text, char kept)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_unreserved(text.ptr[i]) || (text.ptr[i] == kept && kept != '\0'))
            buf_add_char(out, text.ptr[i]);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)text.ptr[i]);
    }
}

/* `name` is ours, and may have brackets. */
static void put_field(struct buf *out, limen_str name, limen_str value)
{
    if (out->len > 0)
        buf_add_char(out, '&');
    buf_add(out, name);
    buf_add_char(out, '=');
    put_encoded(out, value, '\0');
}
#define PUT(out, name, value) put_field((out), LIMEN_STR(name), (value))

static void put_note(struct buf *out, limen_str name, limen_str value)
{
    BUF_ADD(out, "&metadata[");
    put_encoded(out, name, '\0');
    BUF_ADD(out, "]=");
    put_encoded(out, value, '\0');
}

/* Of a text its characters, of a number its digits. */
static limen_str value_of(const struct json_doc *doc, uint32_t at)
{
    const struct json_value *value = &doc->tape[at];
    return value->type == JSON_STRING ? json_text(value) : str_slice(doc->text, value->from, value->to);
}

/* A member of the payload; empty when it is not there. */
static limen_str member(const struct json_doc *doc, limen_str name)
{
    uint32_t at = json_member(doc, 0, name);
    return at == 0 ? LIMEN_STR("") : value_of(doc, at);
}
#define MEMBER(doc, name) member((doc), LIMEN_STR(name))

static void put_notes(struct buf *out, const struct effect_action *action, const struct json_doc *doc, limen_str key)
{
    put_note(out, LIMEN_STR(STRIPE_KEY_NOTE), key);
    for (uint32_t at = 1; at < doc->tape[0].next; at = doc->tape[at + 1].next) {
        limen_str name = json_text(&doc->tape[at]);
        if (effect_find_column(action, name) == NULL && !str_equal(name, LIMEN_STR(STRIPE_KEY_NOTE)))
            put_note(out, name, value_of(doc, at + 1));
    }
}

/* A method that wants its owner to do something first is declined at once, for nobody is there to do it. */
static const char *write_charge(const struct json_doc *doc, limen_str payment_method, struct arena *arena,
                                struct buf *out)
{
    limen_str currency = arena_copy(arena, MEMBER(doc, "currency")), method = MEMBER(doc, "payment_method");
    int64_t amount = 0;
    if (!str_to_int64(MEMBER(doc, "amount"), &amount) || amount <= 0)
        return "the amount is not above zero";
    if (currency.len != 3)
        return "the currency is no code of three letters";
    PUT(out, "amount", MEMBER(doc, "amount"));
    PUT(out, "currency", str_lower(currency, (char *)(uintptr_t)currency.ptr));
    PUT(out, "confirm", LIMEN_STR("true"));
    PUT(out, "error_on_requires_action", LIMEN_STR("true"));
    PUT(out, "payment_method_types[]", LIMEN_STR("card"));
    PUT(out, "payment_method", method.len > 0 ? method : payment_method);
    if (MEMBER(doc, "description").len > 0)
        PUT(out, "description", MEMBER(doc, "description"));
    return NULL;
}

static const char *write_refund(const struct json_doc *doc, struct buf *out)
{
    if (MEMBER(doc, "payment").len == 0)
        return "there is no payment to refund";
    PUT(out, "payment_intent", MEMBER(doc, "payment"));
    if (MEMBER(doc, "amount").len > 0)
        PUT(out, "amount", MEMBER(doc, "amount"));
    return NULL;
}

static const char *write_do(const struct effect_request *request, const struct json_doc *doc, limen_str payment_method,
                            struct arena *arena, struct stripe_call *ret_call)
{
    bool is_charge = request->kind == EFFECT_CHARGE;
    struct buf form, key;
    buf_init(&form, arena, 512);
    buf_init(&key, arena, 128);
    const char *note = is_charge ? write_charge(doc, payment_method, arena, &form) : write_refund(doc, &form);
    put_notes(&form, effect_find(LIMEN_STR("payments"), is_charge ? LIMEN_STR("charge") : LIMEN_STR("refund")), doc,
              effect_request_key(request));
    put_encoded(&key, effect_request_key(request), '/');
    if (note == NULL && key.len > LIMIT_EFFECT_KEY_BYTES)
        note = "the key is too long for the provider";
    buf_add_char(&form, '\0');
    buf_add_char(&key, '\0');
    *ret_call = (struct stripe_call){ is_charge ? "/v1/payment_intents" : "/v1/refunds", form.ptr, key.ptr };
    return note != NULL || (!form.failed && !key.failed) ? note : "memory is out";
}

/* The provider's search does not tell capitals from small letters, so what is found is compared once more (read_list), and the one that is
 * meant may be behind others. Refunds cannot be searched for, but those of one payment are few. */
static const char *write_find(const struct effect_request *request, const struct json_doc *doc, struct arena *arena,
                              struct stripe_call *ret_call)
{
    limen_str key = effect_request_key(request);
    struct buf target;
    buf_init(&target, arena, 256);
    if (request->kind == EFFECT_CHARGE) {
        BUF_ADD(&target, "/v1/payment_intents/search?limit=10&query=metadata%5B%27" STRIPE_KEY_NOTE "%27%5D%3A%27");
        for (size_t i = 0; i < key.len; i++) {
            if (key.ptr[i] == '\'' || key.ptr[i] == '\\')
                BUF_ADD(&target, "%5C");
            put_encoded(&target, str_slice(key, i, i + 1), '\0');
        }
        BUF_ADD(&target, "%27");
    } else {
        BUF_ADD(&target, "/v1/refunds?limit=100&payment_intent=");
        put_encoded(&target, MEMBER(doc, "payment"), '\0');
    }
    buf_add_char(&target, '\0');
    *ret_call = (struct stripe_call){ .target = target.ptr };
    return target.failed ? "memory is out" : NULL;
}

static const char *write_look_up(const struct effect_request *request, struct arena *arena,
                                 struct stripe_call *ret_call)
{
    struct buf target;
    buf_init(&target, arena, 128);
    buf_printf(&target, "%s/", request->kind == EFFECT_CHARGE ? "/v1/payment_intents" : "/v1/refunds");
    put_encoded(&target, effect_request_object(request), '\0');
    buf_add_char(&target, '\0');
    *ret_call = (struct stripe_call){ .target = target.ptr };
    if (request->object_bytes == 0)
        return "there is no object to look at";
    return target.failed ? "memory is out" : NULL;
}

bool stripe_write(const struct effect_request *request, limen_str payment_method, struct arena *arena,
                  struct stripe_call *ret_call, const char **ret_note)
{
    struct json_doc doc;
    struct json_error error;
    if (request->kind >= EFFECT_KINDS
        || json_parse_within(effect_request_payload(request), PAYLOAD_VALUES, arena, &doc, &error) != JSON_OK
        || doc.tape[0].type != JSON_OBJECT)
        *ret_note = "the payload is not right";
    else if (request->question == EFFECT_DO)
        *ret_note = write_do(request, &doc, payment_method, arena, ret_call);
    else if (request->question == EFFECT_FIND)
        *ret_note = write_find(request, &doc, arena, ret_call);
    else
        *ret_note = write_look_up(request, arena, ret_call);
    return *ret_note == NULL;
}

/* ---- what comes back ----------------------------------------------------------------------------------------------------- */

/* A text member of an object at `at`; empty when there is none. */
static limen_str text_of(const struct json_doc *doc, uint32_t at, limen_str name)
{
    if (doc->tape[at].type != JSON_OBJECT)
        return LIMEN_STR("");
    uint32_t found = json_member(doc, at, name);
    return found == 0 || doc->tape[found].type != JSON_STRING ? LIMEN_STR("") : json_text(&doc->tape[found]);
}
#define TEXT(doc, at, name) text_of((doc), (at), LIMEN_STR(name))

/* The member of that name and type, or 0: no member is at the root's place. */
static uint32_t inner(const struct json_doc *doc, uint32_t at, limen_str name, enum json_type type)
{
    if (doc->tape[at].type != JSON_OBJECT)
        return 0;
    uint32_t found = json_member(doc, at, name);
    return found != 0 && doc->tape[found].type == (uint8_t)type ? found : 0;
}

/* Who has to act for a refund is the customer, whose bank wants to be told where the money goes; for a charge nobody is there to act. */
static enum effect_outcome outcome_of_state(uint32_t kind, limen_str state)
{
    static const struct {
        limen_str state;
        enum effect_outcome outcome;
    } known[] = {
        { LIMEN_STR_INIT("succeeded"), EFFECT_SUCCEEDED },
        { LIMEN_STR_INIT("processing"), EFFECT_PROCESSING },
        { LIMEN_STR_INIT("pending"), EFFECT_PROCESSING },
        { LIMEN_STR_INIT("requires_payment_method"), EFFECT_DECLINED },
        { LIMEN_STR_INIT("requires_action"), EFFECT_DECLINED },
        { LIMEN_STR_INIT("requires_confirmation"), EFFECT_DECLINED },
        { LIMEN_STR_INIT("canceled"), EFFECT_DECLINED },
        { LIMEN_STR_INIT("failed"), EFFECT_DECLINED },
    };
    if (kind == EFFECT_REFUND && str_equal(state, LIMEN_STR("requires_action")))
        return EFFECT_PROCESSING;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (str_equal(known[i].state, state))
            return known[i].outcome;
    }
    return EFFECT_UNKNOWN;
}

/* Whether the money that has moved is what was asked for. A refund that named no sum is of all that was taken, whatever that was. */
static bool is_sum_asked_for(const struct effect_request *request, const struct json_doc *doc, uint32_t at,
                             struct arena *arena)
{
    struct json_doc asked;
    struct json_error error;
    bool is_charge = request->kind == EFFECT_CHARGE;
    if (json_parse_within(effect_request_payload(request), PAYLOAD_VALUES, arena, &asked, &error) != JSON_OK
        || asked.tape[0].type != JSON_OBJECT)
        return false;
    limen_str sum = MEMBER(&asked, "amount");
    uint32_t moved = inner(doc, at, is_charge ? LIMEN_STR("amount_received") : LIMEN_STR("amount"), JSON_INT);
    int64_t wanted = 0;
    if (sum.len == 0 && !is_charge)
        return true;
    return str_to_int64(sum, &wanted) && moved != 0 && doc->tape[moved].as.integer == wanted
        && (!is_charge || str_equal_nocase(TEXT(doc, at, "currency"), MEMBER(&asked, "currency")));
}

/* A PaymentIntent or a Refund. One without an id, in a state that we do not know, or of another sum tells nothing. */
static void read_object(const struct effect_request *request, const struct json_doc *doc, uint32_t at,
                        struct arena *arena, struct effect_answer *answer)
{
    limen_str id = TEXT(doc, at, "id"), state = TEXT(doc, at, "status");
    uint32_t fault = inner(doc, at, LIMEN_STR("last_payment_error"), JSON_OBJECT);
    limen_str code = fault != 0 ? TEXT(doc, fault, "code") : TEXT(doc, at, "failure_reason");
    effect_answer_word(answer->object, &answer->object_bytes, id);
    effect_answer_word(answer->state, &answer->state_bytes, state);
    effect_answer_word(answer->code, &answer->code_bytes, code);
    answer->outcome = answer->object_bytes == 0 ? EFFECT_UNKNOWN : outcome_of_state(request->kind, state);
    if (answer->outcome == EFFECT_UNKNOWN)
        effect_answer_note(answer, LIMEN_STR("the provider's object is in a state that is not known"));
    if (answer->outcome == EFFECT_SUCCEEDED && !is_sum_asked_for(request, doc, at, arena)) {
        answer->outcome = EFFECT_UNKNOWN;
        effect_answer_note(answer, LIMEN_STR("the provider tells of another sum than the one that was asked for"));
    }
}

/* What was done twice, as the provider had forgotten the key, is there twice: one that has succeeded counts, else one that may yet. */
static const uint8_t weights[EFFECT_OUTCOMES] = {
    [EFFECT_SUCCEEDED] = 3, [EFFECT_PROCESSING] = 2, [EFFECT_UNKNOWN] = 1, [EFFECT_DECLINED] = 0
};

/* Of those in a list that carry the key. */
static void read_list(const struct effect_request *request, const struct json_doc *doc, struct arena *arena,
                      struct effect_answer *answer)
{
    uint32_t list = inner(doc, 0, LIMEN_STR("data"), JSON_ARRAY);
    if (list == 0) {
        effect_answer_note(answer, LIMEN_STR("the provider's answer is no list"));
        return;
    }
    answer->outcome = EFFECT_NOT_FOUND;
    for (uint32_t at = list + 1; at < doc->tape[list].next; at = doc->tape[at].next) {
        uint32_t notes = inner(doc, at, LIMEN_STR("metadata"), JSON_OBJECT);
        struct effect_answer found = { .wait_s = answer->wait_s };
        if (notes == 0 || !str_equal(TEXT(doc, notes, STRIPE_KEY_NOTE), effect_request_key(request)))
            continue;
        read_object(request, doc, at, arena, &found);
        if (answer->outcome == EFFECT_NOT_FOUND || weights[found.outcome] > weights[answer->outcome])
            *answer = found;
    }
}

/* The object that was asked for, and no other. */
static void read_looked_up(const struct effect_request *request, const struct json_doc *doc, struct arena *arena,
                           struct effect_answer *answer)
{
    read_object(request, doc, 0, arena, answer);
    if (str_equal(effect_answer_text(answer->object, answer->object_bytes), effect_request_object(request)))
        return;
    answer->outcome = EFFECT_UNKNOWN;
    effect_answer_note(answer, LIMEN_STR("the provider tells of another object than the one that was asked for"));
}

/* "type: message", as the provider says it. */
static void note_fault(const struct json_doc *doc, uint32_t fault, uint32_t status, struct effect_answer *answer)
{
    char memory[LIMIT_EFFECT_NOTE_BYTES];
    struct buf text;
    buf_init_fixed(&text, memory, sizeof(memory));
    limen_str type = fault == 0 ? LIMEN_STR("") : TEXT(doc, fault, "type");
    limen_str message = fault == 0 ? LIMEN_STR("") : TEXT(doc, fault, "message");
    buf_printf(&text, "HTTP %u %.*s", status, LIMEN_STR_ARG(str_slice(type, 0, LIMIT_EFFECT_WORD_BYTES)));
    buf_printf(&text, ": %.*s", LIMEN_STR_ARG(str_slice(message, 0, sizeof(memory) / 4)));
    effect_answer_note(answer, buf_str(&text));
}

/* Any other status below 500, and one without the provider's own words, is somebody's on the way, or wants to be asked again. A key that was
 * used with other words (the method that pays when none is named is a setting, and may have been changed) tells that something was done: it
 * is looked for. */
static bool is_final(const struct json_doc *doc, uint32_t fault, uint32_t status)
{
    bool is_known_key = fault != 0 && str_equal(TEXT(doc, fault, "type"), LIMEN_STR("idempotency_error"));
    return fault != 0 && (status == 400 || status == 404) && !is_known_key;
}

/* What to pay with is the customer's to name. One that the provider does not have is no card, and nothing that an operator could mend. */
static bool is_of_no_method(const struct json_doc *doc, uint32_t fault)
{
    return fault != 0 && str_equal(TEXT(doc, fault, "code"), LIMEN_STR("resource_missing"))
        && str_equal(TEXT(doc, fault, "param"), LIMEN_STR("payment_method"));
}

/* The customer's bank says no. When the object itself says otherwise, nothing is known. */
static void read_decline(const struct effect_request *request, const struct json_doc *doc, uint32_t fault,
                         struct arena *arena, struct effect_answer *answer)
{
    uint32_t object = inner(doc, fault, LIMEN_STR("payment_intent"), JSON_OBJECT);
    limen_str reason = TEXT(doc, fault, "decline_code");
    if (object != 0)
        read_object(request, doc, object, arena, answer);
    answer->outcome = object == 0 || answer->outcome == EFFECT_DECLINED ? EFFECT_DECLINED : EFFECT_UNKNOWN;
    effect_answer_word(answer->code, &answer->code_bytes, reason.len > 0 ? reason : TEXT(doc, fault, "code"));
}

/* 402 is the customer's bank saying no; 409 and 429 want to be asked again, and so does a provider that has failed. What is wrong with our
 * secret (401, 403) is not wrong with the effect: it waits until somebody has mended that. */
static void read_fault(const struct effect_request *request, const struct json_doc *doc, uint32_t status,
                       struct arena *arena, struct effect_answer *answer)
{
    uint32_t fault = inner(doc, 0, LIMEN_STR("error"), JSON_OBJECT);
    note_fault(doc, fault, status, answer);
    if (status == 402 && fault != 0) {
        read_decline(request, doc, fault, arena, answer);
    } else if (status == 400 && is_of_no_method(doc, fault)) {
        effect_answer_word(answer->code, &answer->code_bytes, TEXT(doc, fault, "code"));
        answer->outcome = EFFECT_DECLINED;
    } else if (status == 404 && request->question == EFFECT_LOOK_UP) {
        answer->outcome = EFFECT_NOT_FOUND;
    } else if (is_final(doc, fault, status)) {
        answer->outcome = EFFECT_REFUSED;
    }
}

static uint32_t seconds_of(limen_str wait)
{
    int64_t seconds = 0;
    if (!str_to_int64(str_trim(wait), &seconds) || seconds < 0)
        return 0;
    return (uint32_t)(seconds < WAIT_SECONDS_MOST ? seconds : WAIT_SECONDS_MOST);
}

void stripe_read(const struct effect_request *request, uint32_t status, limen_str wait, limen_str body,
                 struct arena *arena, struct effect_answer *ret_answer)
{
    struct json_doc doc;
    struct json_error error;
    memset(ret_answer, 0, sizeof(*ret_answer));
    ret_answer->outcome = EFFECT_UNKNOWN;
    ret_answer->wait_s = seconds_of(wait);
    if (json_parse_within(body, ANSWER_VALUES, arena, &doc, &error) != JSON_OK || doc.tape[0].type != JSON_OBJECT) {
        char text[64];
        struct buf note;
        buf_init_fixed(&note, text, sizeof(text));
        buf_printf(&note, "HTTP %u, and what came is no JSON object", status);
        effect_answer_note(ret_answer, buf_str(&note));
    } else if (status != 200) {
        read_fault(request, &doc, status, arena, ret_answer);
    } else if (request->question == EFFECT_FIND) {
        read_list(request, &doc, arena, ret_answer);
    } else if (request->question == EFFECT_LOOK_UP) {
        read_looked_up(request, &doc, arena, ret_answer);
    } else {
        read_object(request, &doc, 0, arena, ret_answer);
    }
}
