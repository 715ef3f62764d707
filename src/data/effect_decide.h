/* effect_decide.h - what is asked about an effect next, and what an answer makes of it. Plain functions: no clock, no socket. */
#ifndef DATA_EFFECT_DECIDE_H
#define DATA_EFFECT_DECIDE_H

#include "core/effect_wire.h"
#include "data/store.h"

/* An object is looked up by its id; a key that the provider may have forgotten is looked for; else it is done, or done again with its key. */
enum effect_question effect_next_question(const struct store_effect *effect, limen_time now);

/* The pause before attempt number `attempts` + 1, with some chance in it that differs from effect to effect. It is not longer than the time
 * since the effect was first sent: attempts may have come faster than their pauses. */
int64_t effect_pause_us(const struct store_effect *effect, uint32_t attempts, limen_time now);

/* What becomes of the effect. `answer` is NULL when none came: then nobody knows whether it was done, and `why` is for the operator. The
 * settlement's texts are those of the effect, the answer and `why`. */
void effect_decide(const struct store_effect *effect, enum effect_question question, const struct effect_answer *answer,
                   limen_str why, limen_time now, struct store_settlement *ret_settlement);
/* The app could not take what came of it. */
void effect_decide_untaken(const struct store_effect *effect, limen_str why, limen_time now,
                           struct store_settlement *ret_settlement);

#endif
