/* format.h - the formats that `format` can name, as the schema program sees them. */
#ifndef CONTRACT_FORMAT_H
#define CONTRACT_FORMAT_H

#include "limen/base.h"

enum format_kind {
    FORMAT_TEXT,      /* `check` decides on strings */
    FORMAT_INTEGER,   /* an integer from `least` to `most`, on numbers */
    FORMAT_FLOAT,     /* a number whose magnitude is at most `magnitude` */
    FORMAT_ANNOTATION /* says nothing that could be checked: password */
};

struct format {
    limen_str name;
    limen_str noun; /* "a UUID": what the text must be */
    enum format_kind kind;
    bool (*check)(limen_str text);
    bool holds_host_name; /* of which format_is_costly tells */
    int64_t least, most;
    double magnitude;
};

/* NULL: not known. */
const struct format *format_find(limen_str name);

bool format_is_date_time(limen_str text);
bool format_is_date(limen_str text);
bool format_is_time(limen_str text);
bool format_is_duration(limen_str text);
bool format_is_uuid(limen_str text);
bool format_is_ipv4(limen_str text);
bool format_is_ipv6(limen_str text);
bool format_is_hostname(limen_str text);
bool format_is_email(limen_str text);
bool format_is_idn_hostname(limen_str text);
bool format_is_idn_domain(limen_str text); /* the same, of text that need not be normalised */
bool format_is_idn_email(limen_str text);
bool format_is_a_label(limen_str label); /* one label that begins with xn-- */
/* May a label of this text reach libidn2? That costs about a microsecond for each byte, where others cost nanoseconds. */
bool format_is_costly(limen_str text);
bool format_is_uri(limen_str text);
bool format_is_uri_reference(limen_str text);
bool format_is_iri(limen_str text);
bool format_is_iri_reference(limen_str text);
bool format_is_uri_template(limen_str text);
bool format_is_json_pointer(limen_str text);
bool format_is_relative_json_pointer(limen_str text);

#endif
