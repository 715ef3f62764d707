/* effect_decide.c - what is asked about an effect next, and what an answer makes of it.
 *
 * Nothing is given up because nobody answered: the same key is sent again, ever more slowly, and after LIMIT_EFFECT_ATTEMPTS and
 * LIMIT_EFFECT_GIVE_UP_US without learning anything it is an operator's to look at. Time decides as well as number, because what the
 * provider tells by itself has it asked at once: events in a hurry would use up attempts that an outage was to last for. */
#include "data/effect_decide.h"

#include "core/str.h"

#define POLL_LEAST_US 500000 /* between two looks at an object that is being processed … */
#define POLL_SHARE 4         /* … which waits a quarter of the time that it has taken so far */
#define ATTEMPTS_BEFORE_SEARCH 5U

static bool has_forgotten_key(const struct store_effect *effect, limen_time now)
{
    return now - effect->sent_at >= LIMIT_EFFECT_KEY_FRESH_US;
}

/* A provider that keeps the answer to a key may have kept a failure, and tells it whenever the key comes, although it has done what was
 * asked. So every other time the object itself is looked for. */
enum effect_question effect_next_question(const struct store_effect *effect, limen_time now)
{
    if (effect->result.object_id.len > 0)
        return EFFECT_LOOK_UP;
    bool is_turn = effect->attempts >= ATTEMPTS_BEFORE_SEARCH && effect->attempts % 2 == 1;
    return is_turn || has_forgotten_key(effect, now) ? EFFECT_FIND : EFFECT_DO;
}

int64_t effect_pause_us(const struct store_effect *effect, uint32_t attempts, limen_time now)
{
    int64_t most_us = now - effect->sent_at;
    if (most_us < LIMIT_EFFECT_PAUSE_LEAST_US)
        most_us = LIMIT_EFFECT_PAUSE_LEAST_US;
    if (most_us > LIMIT_EFFECT_PAUSE_MOST_US)
        most_us = LIMIT_EFFECT_PAUSE_MOST_US;
    int64_t pause_us = LIMIT_EFFECT_PAUSE_LEAST_US;
    for (uint32_t i = 1; i < attempts && pause_us < most_us; i++)
        pause_us *= 2;
    if (pause_us > most_us)
        pause_us = most_us;
    uint32_t chance = attempts; /* the last bytes of an id are random */
    for (size_t i = 0; i < effect->id.len; i++)
        chance = chance * 31 + (uint8_t)effect->id.ptr[i];
    return pause_us - pause_us * (int64_t)(chance % 256) / 1024; /* up to a quarter less */
}

/* It was sent before now. A clock that was ahead then and has been set right would make its key fresh long after the provider has forgotten it,
 * and what was done would be done again. */
static limen_time sent_before(const struct store_effect *effect, limen_time now)
{
    return effect->sent_at < now ? effect->sent_at : now;
}

static struct store_settlement of(const struct store_effect *effect, enum store_effect_state state, limen_time now)
{
    return (struct store_settlement){
        .id = effect->id,
        .fence = effect->fence,
        .state = state,
        .due_at = now,
        .attempts = effect->attempts,
        .sent_at = sent_before(effect, now),
        .result = effect->result,
    };
}

/* Once more later, or never again. */
static void once_more(const struct store_effect *effect, int64_t wait_us, limen_str why, limen_time now,
                      struct store_settlement *settlement)
{
    int64_t pause_us = effect_pause_us(effect, effect->attempts + 1, now);
    settlement->attempts = effect->attempts + 1;
    settlement->due_at = now + (pause_us > wait_us ? pause_us : wait_us);
    settlement->result.note = why;
    if (settlement->attempts >= LIMIT_EFFECT_ATTEMPTS && now - effect->sent_at >= LIMIT_EFFECT_GIVE_UP_US)
        settlement->state = STORE_EFFECT_DEAD;
}

/* What a search does not show, or not as done, may not have got there yet: nothing is concluded from it as long as the key is known. The
 * provider has answered, so the key's turn is now. */
static bool is_beside_the_key(const struct store_effect *effect, enum effect_question question,
                              enum effect_outcome outcome, limen_time now)
{
    return question == EFFECT_FIND && !has_forgotten_key(effect, now) && outcome != EFFECT_UNKNOWN
        && outcome != EFFECT_SUCCEEDED && outcome != EFFECT_PROCESSING;
}

static void take_words(const struct effect_answer *answer, struct store_effect_result *result)
{
    if (answer->object_bytes > 0)
        result->object_id = effect_answer_text(answer->object, answer->object_bytes);
    result->state = effect_answer_text(answer->state, answer->state_bytes);
    result->code = effect_answer_text(answer->code, answer->code_bytes);
    result->note = effect_answer_text(answer->note, answer->note_bytes);
}

static int64_t poll_pause_us(const struct store_effect *effect, limen_time now)
{
    int64_t pause_us = (now - effect->sent_at) / POLL_SHARE;
    return pause_us < POLL_LEAST_US             ? POLL_LEAST_US
        : pause_us > LIMIT_EFFECT_PAUSE_MOST_US ? LIMIT_EFFECT_PAUSE_MOST_US
                                                : pause_us;
}

void effect_decide(const struct store_effect *effect, enum effect_question question, const struct effect_answer *answer,
                   limen_str why, limen_time now, struct store_settlement *ret_settlement)
{
    struct store_settlement *it = ret_settlement;
    *it = of(effect, STORE_EFFECT_SENT, now);
    if (answer == NULL) {
        once_more(effect, /* wait_us= */ 0, why, now, it);
        return;
    }
    if (is_beside_the_key(effect, question, (enum effect_outcome)answer->outcome, now)) {
        once_more(effect, /* wait_us= */ 0, LIMEN_STR("the provider fails, and shows nothing that was done"), now, it);
        it->due_at = now;
        return;
    }
    if (answer->outcome != EFFECT_UNKNOWN && answer->outcome != EFFECT_NOT_FOUND)
        take_words(answer, &it->result);
    limen_str note = effect_answer_text(answer->note, answer->note_bytes);
    switch ((enum effect_outcome)answer->outcome) {
    case EFFECT_SUCCEEDED:
    case EFFECT_DECLINED:
        it->state = STORE_EFFECT_ANSWERED;
        it->attempts = 0;
        it->result.is_known = true;
        it->result.outcome = answer->outcome == EFFECT_SUCCEEDED ? LIMEN_EFFECT_SUCCEEDED : LIMEN_EFFECT_DECLINED;
        break;
    case EFFECT_PROCESSING:
        it->attempts = 0;
        it->due_at = now + poll_pause_us(effect, now);
        break;
    case EFFECT_REFUSED:
        it->state = STORE_EFFECT_DEAD;
        if (question == EFFECT_DO && effect->fence == 1)
            it->sent_at = 0; /* nobody has sent it before, and the provider has said that it did nothing */
        break;
    case EFFECT_NOT_FOUND:
        if (question == EFFECT_FIND) { /* it was never done, and the key is as good as new */
            it->state = STORE_EFFECT_PENDING;
            it->sent_at = 0;
        } else {
            once_more(effect, 0, LIMEN_STR("the provider does not know its object any more"), now, it);
        }
        break;
    default:
        once_more(effect, (int64_t)answer->wait_s * 1000000, note, now, it);
        break;
    }
}

void effect_decide_untaken(const struct store_effect *effect, limen_str why, limen_time now,
                           struct store_settlement *ret_settlement)
{
    *ret_settlement = of(effect, STORE_EFFECT_ANSWERED, now);
    once_more(effect, /* wait_us= */ 0, why, now, ret_settlement);
}
