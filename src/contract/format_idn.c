/* format_idn.c - host names in all scripts: IDNA 2008 (RFC 5890 to 5893), as a registry would take them.
 *
 * libidn2 has the tables and checks one label: its form, its code points, the rules of context, right to left. What concerns the name
 * as a whole is ours: separators, lengths, and that no label of a right-to-left name begins with a digit. libidn2 takes memory for a
 * label; a label of ASCII letters, which most are, never reaches it. */
#include "contract/format.h"

#include "core/str.h"

#include <idn2.h>

#define LABEL_BYTES 63U   /* of an A-label: RFC 1035 section 2.3.4 */
#define NAME_BYTES 253U   /* of all A-labels and the dots between them */
#define ULABEL_BYTES 252U /* of the same label in UTF-8, at most four bytes for each */

/* A name that is being read, label by label. */
struct idn_name {
    size_t ascii_bytes; /* of the A-labels so far */
    bool is_right_to_left, has_leading_digit;
    bool normalises; /* a label need not be in NFC */
};

static bool is_ascii(limen_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((uint8_t)text.ptr[i] >= 0x80)
            return false;
    }
    return true;
}

static bool is_ace(limen_str label)
{
    return label.len >= 4 && str_equal_nocase(str_slice(label, 0, 4), LIMEN_STR("xn--"));
}

static bool is_european_digit(uint32_t point)
{
    return (point >= '0' && point <= '9') || (point >= 0x6F0 && point <= 0x6F9);
}

/* Classes R, AL and AN of RFC 5893 by their blocks, in which the digits of Persian and Urdu are European ones. */
static bool is_right_to_left(uint32_t point)
{
    return (point >= 0x590 && point <= 0x8FF && !is_european_digit(point)) || (point >= 0xFB1D && point <= 0xFDFF)
        || (point >= 0xFE70 && point <= 0xFEFF) || (point >= 0x10800 && point <= 0x10FFF)
        || (point >= 0x1E800 && point <= 0x1EFFF);
}

static bool is_arabic_digit(uint32_t point)
{
    return (point >= 0x660 && point <= 0x669) || (point >= 0x10D30 && point <= 0x10D39);
}

/* What libidn2 leaves of RFC 5893 section 2, for a label in well-formed UTF-8: rule 4, by which digits are of one kind, and what rule 1
 * needs to know of the labels beside it. */
static bool note_direction(struct idn_name *name, limen_str label)
{
    bool is_found = false, has_european = false, has_arabic = false;
    for (size_t at = 0; at < label.len; at += str_utf8_step(str_slice(label, at, label.len))) {
        const uint32_t point = str_code_point(str_slice(label, at, label.len));
        is_found = is_found || is_right_to_left(point);
        has_european = has_european || is_european_digit(point);
        has_arabic = has_arabic || is_arabic_digit(point);
    }
    if (is_found)
        name->is_right_to_left = true;
    else if (is_european_digit(str_code_point(label)))
        name->has_leading_digit = true;
    return !(has_european && has_arabic);
}

/* RFC 952 and 1123, and no hyphens where IDNA has its prefixes. */
static bool check_ascii_label(limen_str label)
{
    if (label.len > LABEL_BYTES || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        const char c = label.ptr[i], lower = (char)(c | 0x20);
        if (!(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'z') && c != '-')
            return false;
    }
    return label.len < 4 || label.ptr[2] != '-' || label.ptr[3] != '-';
}

/* Copies with a NUL at the end, ASCII letters in lower case where the case of an A-label is of no matter. */
static void copy_label(limen_str label, bool lowers, uint8_t *copy)
{
    for (size_t i = 0; i < label.len; i++) {
        const char c = label.ptr[i];
        copy[i] = (uint8_t)(lowers && c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    copy[label.len] = '\0';
}

/* The A-label of a U-label that need not be in NFC. */
static bool normalise(const uint8_t *label, uint8_t *copy)
{
    uint8_t *ascii = NULL;
    if (idn2_lookup_u8(label, &ascii, IDN2_NFC_INPUT | IDN2_NO_TR46) != IDN2_OK)
        return false;
    const limen_str found = str_of((const char *)ascii);
    const bool fits = found.len <= LABEL_BYTES;
    if (fits)
        copy_label(found, /* lowers= */ true, copy);
    idn2_free(ascii);
    return fits;
}

/* Direction is a matter of letters, so of the label's Unicode form. */
static bool note_ace_direction(struct idn_name *name, const uint8_t *ascii)
{
    char *unicode = NULL;
    if (idn2_to_unicode_8z8z((const char *)ascii, &unicode, 0) != IDN2_OK)
        return false;
    const bool ok = note_direction(name, str_of(unicode));
    idn2_free(unicode);
    return ok;
}

/* A label with an ACE prefix or with letters of other scripts. */
static bool check_idn_label(struct idn_name *name, limen_str label)
{
    uint8_t copy[ULABEL_BYTES + 1], normal[LABEL_BYTES + 1], *ascii = NULL;
    bool has_ace = is_ace(label);
    if (label.len > (has_ace ? LABEL_BYTES : ULABEL_BYTES))
        return false;
    copy_label(label, has_ace, copy);
    const uint8_t *checked = copy;
    if (!has_ace && name->normalises) {
        if (!normalise(copy, normal))
            return false;
        checked = normal;
        has_ace = true;
    }
    if (idn2_register_u8(has_ace ? NULL : checked, has_ace ? checked : NULL, &ascii, 0) != IDN2_OK)
        return false;
    name->ascii_bytes += str_of((const char *)ascii).len;
    const bool ok = note_ace_direction(name, ascii);
    idn2_free(ascii);
    return ok;
}

static bool check_label(struct idn_name *name, limen_str label)
{
    if (label.len == 0)
        return false;
    if (!is_ascii(label) || is_ace(label))
        return check_idn_label(name, label);
    name->ascii_bytes += label.len;
    return note_direction(name, label) && check_ascii_label(label);
}

/* Bytes of the separator that the text begins with (RFC 3490 section 3.1), or 0. */
static size_t separator_length(limen_str text)
{
    static const limen_str separators[] = { LIMEN_STR_INIT("."), LIMEN_STR_INIT("\u3002"), LIMEN_STR_INIT("\uFF0E"),
                                            LIMEN_STR_INIT("\uFF61") };
    for (size_t i = 0; i < sizeof separators / sizeof *separators; i++) {
        if (str_starts(text, separators[i]))
            return separators[i].len;
    }
    return 0;
}

static bool check_name(limen_str text, bool normalises)
{
    struct idn_name name = { .normalises = normalises };
    size_t labels = 0, from = 0;
    if (text.len > NAME_BYTES * 4 || !str_is_utf8(text) || (text.len > 0 && memchr(text.ptr, 0, text.len) != NULL))
        return false;
    for (size_t at = 0; at <= text.len; at++) {
        const size_t separator = separator_length(str_slice(text, at, text.len));
        if (separator == 0 && at < text.len)
            continue;
        if (!check_label(&name, str_slice(text, from, at)))
            return false;
        labels++;
        from = at + separator;
        at += separator > 0 ? separator - 1 : 0;
    }
    return name.ascii_bytes + labels - 1 <= NAME_BYTES && !(name.is_right_to_left && name.has_leading_digit);
}

bool format_is_idn_hostname(limen_str text)
{
    return check_name(text, /* normalises= */ false);
}

/* Mail clients send domains as they were typed, and a server normalises them before it looks them up (RFC 6531 section 3.7.1). */
bool format_is_idn_domain(limen_str text)
{
    return check_name(text, /* normalises= */ true);
}

bool format_is_costly(limen_str text)
{
    return !is_ascii(text) || str_find(text, LIMEN_STR("--"), 0) != SIZE_MAX; /* "xn--" in either case */
}

bool format_is_a_label(limen_str label)
{
    struct idn_name name = { 0 };
    return is_ace(label) && check_idn_label(&name, label);
}
