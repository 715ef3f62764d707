/* id.h - ids that sort by time and cannot be guessed. */
#ifndef CORE_ID_H
#define CORE_ID_H

#include "limen/base.h"

#define ID_BYTES 48U        /* room for any id, with its NUL */
#define ID_TEXT_BYTES 27U   /* behind the prefix */
#define ID_RANDOM_BYTES 14U /* 112 bits */

/* Writes "<prefix>_" and 27 characters of base 62: 48 bits of milliseconds, then `random`. Ids of one prefix sort
 * bytewise by their time. NUL-terminated; the result is a slice of `ret_id`. A prefix longer than 19 bytes is cut. */
limen_str id_make(char ret_id[ID_BYTES], limen_str prefix, limen_time wall_us, const uint8_t random[ID_RANDOM_BYTES]);
/* The same with random bits from the kernel; aborts when it has none. */
limen_str id_new(char ret_id[ID_BYTES], limen_str prefix, limen_time wall_us);

#endif
