/* pattern_property.c - the names of Unicode's general categories. */
#include "contract/pattern.h"

#include "core/str.h"

limen_str pattern_category(limen_str name)
{
    static const struct {
        limen_str name, category;
    } categories[] = {
        { LIMEN_STR_INIT("Letter"), LIMEN_STR_INIT("L") },
        { LIMEN_STR_INIT("Cased_Letter"), LIMEN_STR_INIT("L&") },
        { LIMEN_STR_INIT("LC"), LIMEN_STR_INIT("L&") },
        { LIMEN_STR_INIT("Uppercase_Letter"), LIMEN_STR_INIT("Lu") },
        { LIMEN_STR_INIT("Lowercase_Letter"), LIMEN_STR_INIT("Ll") },
        { LIMEN_STR_INIT("Titlecase_Letter"), LIMEN_STR_INIT("Lt") },
        { LIMEN_STR_INIT("Modifier_Letter"), LIMEN_STR_INIT("Lm") },
        { LIMEN_STR_INIT("Other_Letter"), LIMEN_STR_INIT("Lo") },
        { LIMEN_STR_INIT("Mark"), LIMEN_STR_INIT("M") },
        { LIMEN_STR_INIT("Combining_Mark"), LIMEN_STR_INIT("M") },
        { LIMEN_STR_INIT("Nonspacing_Mark"), LIMEN_STR_INIT("Mn") },
        { LIMEN_STR_INIT("Spacing_Mark"), LIMEN_STR_INIT("Mc") },
        { LIMEN_STR_INIT("Enclosing_Mark"), LIMEN_STR_INIT("Me") },
        { LIMEN_STR_INIT("Number"), LIMEN_STR_INIT("N") },
        { LIMEN_STR_INIT("Decimal_Number"), LIMEN_STR_INIT("Nd") },
        { LIMEN_STR_INIT("digit"), LIMEN_STR_INIT("Nd") },
        { LIMEN_STR_INIT("Letter_Number"), LIMEN_STR_INIT("Nl") },
        { LIMEN_STR_INIT("Other_Number"), LIMEN_STR_INIT("No") },
        { LIMEN_STR_INIT("Punctuation"), LIMEN_STR_INIT("P") },
        { LIMEN_STR_INIT("punct"), LIMEN_STR_INIT("P") },
        { LIMEN_STR_INIT("Connector_Punctuation"), LIMEN_STR_INIT("Pc") },
        { LIMEN_STR_INIT("Dash_Punctuation"), LIMEN_STR_INIT("Pd") },
        { LIMEN_STR_INIT("Open_Punctuation"), LIMEN_STR_INIT("Ps") },
        { LIMEN_STR_INIT("Close_Punctuation"), LIMEN_STR_INIT("Pe") },
        { LIMEN_STR_INIT("Initial_Punctuation"), LIMEN_STR_INIT("Pi") },
        { LIMEN_STR_INIT("Final_Punctuation"), LIMEN_STR_INIT("Pf") },
        { LIMEN_STR_INIT("Other_Punctuation"), LIMEN_STR_INIT("Po") },
        { LIMEN_STR_INIT("Symbol"), LIMEN_STR_INIT("S") },
        { LIMEN_STR_INIT("Math_Symbol"), LIMEN_STR_INIT("Sm") },
        { LIMEN_STR_INIT("Currency_Symbol"), LIMEN_STR_INIT("Sc") },
        { LIMEN_STR_INIT("Modifier_Symbol"), LIMEN_STR_INIT("Sk") },
        { LIMEN_STR_INIT("Other_Symbol"), LIMEN_STR_INIT("So") },
        { LIMEN_STR_INIT("Separator"), LIMEN_STR_INIT("Z") },
        { LIMEN_STR_INIT("Space_Separator"), LIMEN_STR_INIT("Zs") },
        { LIMEN_STR_INIT("Line_Separator"), LIMEN_STR_INIT("Zl") },
        { LIMEN_STR_INIT("Paragraph_Separator"), LIMEN_STR_INIT("Zp") },
        { LIMEN_STR_INIT("Other"), LIMEN_STR_INIT("C") },
        { LIMEN_STR_INIT("Control"), LIMEN_STR_INIT("Cc") },
        { LIMEN_STR_INIT("cntrl"), LIMEN_STR_INIT("Cc") },
        { LIMEN_STR_INIT("Format"), LIMEN_STR_INIT("Cf") },
        { LIMEN_STR_INIT("Private_Use"), LIMEN_STR_INIT("Co") },
        { LIMEN_STR_INIT("Unassigned"), LIMEN_STR_INIT("Cn") },
    };
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++) {
        if (str_equal(name, categories[i].name))
            return categories[i].category;
    }
    return name;
}
