/* Tests of core/log.h: standard error is a pipe or a terminal of ours while a line is written. */
#include "check.h"

#include "core/limits.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char captured[65536];
static int saved_stderr;

static void put_on_stderr(int fd)
{
    saved_stderr = dup(STDERR_FILENO);
    assert_true(saved_stderr >= 0);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
}

static void put_stderr_back(void)
{
    assert_int_equal(dup2(saved_stderr, STDERR_FILENO), STDERR_FILENO);
    close(saved_stderr);
}

/* What is written to standard error from log_init on. */
static limen_str capture(enum log_format format, enum log_level least, int number, void (*run)(void))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    put_on_stderr(ends[1]);
    log_init(format, least, "worker", number);
    run();
    put_stderr_back();
    ssize_t count = read(ends[0], captured, sizeof captured);
    close(ends[0]);
    close(ends[1]);
    return str_make(captured, count < 0 ? 0 : (size_t)count);
}

/* The line without its time, which is checked for its shape. */
static limen_str without_time(limen_str line)
{
    assert_true(str_starts(line, LIMEN_STR("{\"ts\":\"20")));
    size_t end = str_find(line, LIMEN_STR("Z\","), 0);
    assert_in_range(end, 26, 30);
    return str_slice(line, end + 2, line.len);
}

static void write_kinds(void)
{
    LOG_INFO("order placed", log_int("lines", -3), log_text("state", "new"), log_text("none", NULL));
}

static void test_json_where_no_terminal_is(void **state)
{
    (void)state;
    assert_text(without_time(capture(LOG_FORMAT_AUTO, LOG_LEVEL_INFO, 7, write_kinds)),
                ",\"level\":\"info\",\"role\":\"worker\",\"number\":7,\"message\":\"order placed\","
                "\"lines\":-3,\"state\":\"new\",\"none\":\"\"}\n");
}

static void test_negative_number_is_not_shown(void **state)
{
    (void)state;
    limen_str line = capture(LOG_FORMAT_JSON, LOG_LEVEL_INFO, -1, write_kinds);
    assert_true(str_find(line, LIMEN_STR("\"role\":\"worker\",\"message\""), 0) != SIZE_MAX);
}

static void write_levels(void)
{
    LOG_DEBUG("d", log_int("i", 0));
    LOG_INFO("i", log_int("i", 1));
    LOG_WARN("w", log_int("i", 2));
    LOG_ERROR("e", log_int("i", 3));
}

static void test_less_than_the_least_level_is_dropped(void **state)
{
    (void)state;
    limen_str lines = capture(LOG_FORMAT_JSON, LOG_LEVEL_WARN, 0, write_levels);
    assert_true(str_find(str_cut(&lines, '\n'), LIMEN_STR("\"level\":\"warn\""), 0) != SIZE_MAX);
    assert_true(str_find(str_cut(&lines, '\n'), LIMEN_STR("\"level\":\"error\""), 0) != SIZE_MAX);
    assert_int_equal(lines.len, 0);
}

static void write_hostile(void)
{
    LOG_WARN("x", log_str("path", LIMEN_STR("a\"\\\n\r\t\0\x1b\x7f\xc2\x9b\xff\xed\xa0\x80\xc3\xa9\xe2\x82")));
}

static void test_json_escapes_what_clients_send(void **state)
{
    (void)state;
    limen_str line = capture(LOG_FORMAT_JSON, LOG_LEVEL_INFO, 0, write_hostile);
    assert_true(str_ends(line,
                         LIMEN_STR("\"path\":\"a\\\"\\\\\\u000a\\u000d\\u0009\\u0000\\u001b\\u007f\\u009b"
                                   "\\ufffd\\ufffd\\ufffd\\ufffd\xc3\xa9\\ufffd\\ufffd\"}\n")));
}

static void test_text_escapes_what_clients_send(void **state)
{
    (void)state;
    limen_str line = capture(LOG_FORMAT_TEXT, LOG_LEVEL_INFO, 0, write_hostile);
    assert_true(str_ends(line,
                         LIMEN_STR(" path=\"a\\\"\\\\\\x0a\\x0d\\x09\\x00\\x1b\\x7f\\x9b"
                                   "\\xff\\xed\\xa0\\x80\xc3\xa9\\xe2\\x82\"\n")));
}

static void test_text_is_aligned_and_has_no_colour_in_a_pipe(void **state)
{
    (void)state;
    limen_str line = capture(LOG_FORMAT_TEXT, LOG_LEVEL_INFO, 7, write_kinds);
    assert_text(str_slice(line, 12, line.len),
                " INFO  worker 7    order placed                     lines=-3 state=new none=\"\"\n");
}

/* ---- lines that are too long ------------------------------------------------------------------------------------ */

static char filler[10000];
static size_t filler_bytes;

static void write_filler(void)
{
    LOG_INFO("long", log_int("first", 1), log_str("text", str_make(filler, filler_bytes)), log_int("last", 2));
}

/* Whether `line` is an object of members whose strings are closed, by walking over quotes and escapes. */
static bool is_closed_json(limen_str line)
{
    bool is_inside = false;
    for (size_t i = 0; i < line.len; i++) {
        if (is_inside && line.ptr[i] == '\\') {
            i += line.ptr[i + 1] == 'u' ? 5 : 1;
            continue;
        }
        if (line.ptr[i] == '"')
            is_inside = !is_inside;
        if (!is_inside && line.ptr[i] == '}')
            return i == line.len - 2 && line.ptr[i + 1] == '\n';
    }
    return false;
}

/* Fills with `unit` after 0 to 7 other bytes, so that the cut falls on each of its bytes, and around the limit. */
static void check_cuts(enum log_format format, limen_str unit, limen_str cut_mark)
{
    for (size_t shift = 0; shift < 8; shift++)
        for (size_t bytes = 300; bytes<sizeof filler; bytes += bytes> 3700 && bytes < 4100 ? 1 : 100) {
            memset(filler, 'x', shift);
            for (size_t i = shift; i < sizeof filler; i++)
                filler[i] = unit.ptr[(i - shift) % unit.len];
            filler_bytes = shift + (bytes - shift) / unit.len * unit.len;
            limen_str line = capture(format, LOG_LEVEL_INFO, 0, write_filler);
            assert_in_range(line.len, 300, LIMIT_LOG_LINE_BYTES);
            assert_true(str_is_utf8(line));
            if (format == LOG_FORMAT_JSON)
                assert_true(is_closed_json(line));
            bool is_whole = str_find(line, LIMEN_STR("last"), 0) != SIZE_MAX;
            assert_int_equal(str_ends(line, cut_mark), !is_whole);
            assert_true(is_whole || line.len > LIMIT_LOG_LINE_BYTES - 64);
        }
}

static void test_long_json_is_cut_and_stays_well_formed(void **state)
{
    (void)state;
    check_cuts(LOG_FORMAT_JSON, LIMEN_STR("\xe2\x82\xac"), LIMEN_STR(",\"cut\":true}\n"));
    check_cuts(LOG_FORMAT_JSON, LIMEN_STR("\n"), LIMEN_STR(",\"cut\":true}\n"));
    check_cuts(LOG_FORMAT_JSON, LIMEN_STR("\""), LIMEN_STR(",\"cut\":true}\n"));
}

static void test_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    check_cuts(LOG_FORMAT_TEXT, LIMEN_STR("\xe2\x82\xac"), LIMEN_STR(" … (cut)\n"));
    check_cuts(LOG_FORMAT_TEXT, LIMEN_STR("= "), LIMEN_STR(" … (cut)\n"));
}

static void write_long_message(void)
{
    log_write(LOG_LEVEL_INFO, filler, NULL, 0);
}

static void test_long_message_is_cut_too(void **state)
{
    (void)state;
    memset(filler, 'm', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    limen_str line = capture(LOG_FORMAT_JSON, LOG_LEVEL_INFO, 0, write_long_message);
    assert_true(is_closed_json(line));
    assert_true(str_ends(line, LIMEN_STR("m\",\"cut\":true}\n")));
    line = capture(LOG_FORMAT_TEXT, LOG_LEVEL_INFO, 0, write_long_message);
    assert_true(str_ends(line, LIMEN_STR("m … (cut)\n")));
}

/* ---- the process ------------------------------------------------------------------------------------------------ */

static int errno_after;

static void write_to_nobody(void)
{
    close(STDERR_FILENO);
    errno = ENOTTY;
    write_kinds();
    errno_after = errno;
}

static void test_logging_leaves_errno_alone_even_when_it_fails(void **state)
{
    (void)state;
    assert_int_equal(capture(LOG_FORMAT_JSON, LOG_LEVEL_INFO, 0, write_to_nobody).len, 0);
    assert_int_equal(errno_after, ENOTTY);
}

static void run_bug(void)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit no_core = { 0, 0 };
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        BUG("cannot be");
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_bug_names_the_line_and_aborts(void **state)
{
    (void)state;
    limen_str line = capture(LOG_FORMAT_JSON, LOG_LEVEL_ERROR, 0, run_bug);
    assert_true(str_find(line, LIMEN_STR("\"level\":\"error\""), 0) != SIZE_MAX);
    assert_true(str_find(line, LIMEN_STR("\"what\":\"cannot be\""), 0) != SIZE_MAX);
    assert_true(str_find(line, LIMEN_STR("test_log.c\",\"line\":"), 0) != SIZE_MAX);
}

static limen_str capture_on_terminal(void)
{
    int controller = posix_openpt(O_RDWR | O_NOCTTY);
    if (controller < 0 || grantpt(controller) != 0 || unlockpt(controller) != 0) {
        print_message("no pseudo-terminals here\n");
        skip();
    }
    int terminal = open(ptsname(controller), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    put_on_stderr(terminal);
    log_init(LOG_FORMAT_AUTO, LOG_LEVEL_INFO, "worker", 7);
    write_kinds();
    put_stderr_back();
    ssize_t count = read(controller, captured, sizeof captured);
    assert_true(count > 0);
    close(terminal);
    close(controller);
    return str_make(captured, (size_t)count);
}

static void test_colour_on_a_terminal_unless_it_is_not_wanted(void **state)
{
    (void)state;
    unsetenv("NO_COLOR");
    limen_str line = capture_on_terminal();
    assert_true(str_find(line, LIMEN_STR("\033[32mINFO \033[0m worker 7"), 0) != SIZE_MAX);
    setenv("NO_COLOR", "1", 1);
    line = capture_on_terminal();
    assert_true(str_find_char(line, '\033', 0) == SIZE_MAX);
    assert_true(str_find(line, LIMEN_STR("INFO  worker 7"), 0) != SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_where_no_terminal_is),
        cmocka_unit_test(test_negative_number_is_not_shown),
        cmocka_unit_test(test_less_than_the_least_level_is_dropped),
        cmocka_unit_test(test_json_escapes_what_clients_send),
        cmocka_unit_test(test_text_escapes_what_clients_send),
        cmocka_unit_test(test_text_is_aligned_and_has_no_colour_in_a_pipe),
        cmocka_unit_test(test_long_json_is_cut_and_stays_well_formed),
        cmocka_unit_test(test_long_text_is_cut_between_characters),
        cmocka_unit_test(test_long_message_is_cut_too),
        cmocka_unit_test(test_logging_leaves_errno_alone_even_when_it_fails),
        cmocka_unit_test(test_bug_names_the_line_and_aborts),
        cmocka_unit_test(test_colour_on_a_terminal_unless_it_is_not_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
