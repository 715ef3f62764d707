/* banned.h - functions of the C library that must not be used here; a use does not compile.
 *
 * The build includes this file before everything else in every source of ours (`-include core/banned.h`). The headers that
 * declare the functions come first, so that the macros meet calls only. */
#ifndef CORE_BANNED_H
#define CORE_BANNED_H
#ifndef __ASSEMBLER__

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The name of an undeclared function is the message. Arguments are dropped. */
#undef strcpy
#define strcpy(...) strcpy_is_banned_use_memcpy_or_buf_add()
#undef strcat
#define strcat(...) strcat_is_banned_use_buf_add()
#undef sprintf
#define sprintf(...) sprintf_is_banned_use_snprintf_or_buf_printf()
#undef vsprintf
#define vsprintf(...) vsprintf_is_banned_use_vsnprintf()
#undef strtok
#define strtok(...) strtok_is_banned_use_str_cut()
#undef gets
#define gets(...) gets_is_banned()
#undef atoi
#define atoi(...) atoi_is_banned_use_str_to_int64()
#undef atol
#define atol(...) atol_is_banned_use_str_to_int64()
#undef alloca
#define alloca(...) alloca_is_banned_use_an_arena()

#endif
#endif
