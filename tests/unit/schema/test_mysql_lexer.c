/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "schema/mysql_lexer.h"

enum { ANSI = SQL_MODE_ANSI_QUOTES, PLAIN = SQL_MODE_NO_BACKSLASH_ESCAPES };

/* Tokens are written as a letter and their text: W word, Q quoted, S string, N number, H hex, B
 * bit, the symbol itself, ! for a bad one. */
static const struct {
    const char *sql, *want;
    uint64_t sql_mode;
    uint32_t version;
    bool mariadb;
} cases[] = {
    { "", "", 0, 0, false },
    { " \t\r\n", "", 0, 0, false },
    { "select 1;garbage 'x", "Wselect N1", 0, 0, false },
    { "a$b _c 1a 1 1.5 .5 1e5 1e 1.e3", "Wa$b W_c W1a N1 N1.5 N.5 N1e5 W1e N1.e3", 0, 0, false },
    { "1e-3 1e+ 0x4F 0x 0xfg 0b01 0b2 0X4F", "N1e-3 W1e + H4F W0x W0xfg B01 W0b2 W0X4F", 0, 0,
      false },
    { "db.1t . 2x db.`3` a.1 .t", "Wdb . W1t . W2x Wdb . Q3 Wa . W1 . Wt", 0, 0, false },
    { "t.1e5 5.5", "Wt . W1e5 N5.5", 0, 0, false },
    { "caf\xc3\xa9 \xe5\x90\x8d", "Wcaf\xc3\xa9 W\xe5\x90\x8d", 0, 0, false },
    { "`a``b` `` `x y`", "Qa`b Q Qx y", 0, 0, false },
    { "'it''s' \"a\"\"b\"", "Sit'sa\"b", 0, 0, false },
    { "'a' 'b'/*c*/'d' e 'f'", "Sabd We Sf", 0, 0, false },
    { "'a\\'b\\\\' , 'n\\nt\\tz\\0q\\%\\_\\x'", "Sa'b\\ , Sn\nt\tz\\x00q\\%\\_x", 0, 0, false },
    { "'a\\' , 'b'", "Sa\\ , Sb", PLAIN, 0, false },
    { "\"a\"\"b\" 'c\"'", "Qa\"b Sc\"", ANSI, 0, false },
    { "\"a\\\" b", "Qa\\ Wb", ANSI, 0, false },
    { "x'4A' X'4b' b'01' B'1' n'x' N'y'", "H4A H4b B01 B1 Sx Sy", 0, 0, false },
    { "_utf8mb4'x' _latin1 x'41' _binary 0x42 _nope 'y' _utf8 , _gbk b'1'",
      "Sx[utf8mb4] H41[latin1] H42[binary] W_nope Sy W_utf8 , B1[gbk]", 0, 0, false },
    { "a -- b\nc --d\n- -e #f\ng", "Wa Wc - - Wd - - We Wg", 0, 0, false },
    { "a --", "Wa", 0, 0, false },
    { "a /* b */ c /**/ d /* /* */ e", "Wa Wc Wd We", 0, 0, false },
    { "a /*! b */ c /*!50000 d */", "Wa Wb Wc Wd", 0, 90704, false },
    { "/*!99999 a /* b */ c */ d", "Wd", 0, 90704, false },
    { "/*!50700 a */ /*!100000 b */ /*!110000 c */ /*!50699 d */", "Wb Wd", 0, 101119, true },
    { "/*M! a */ /*M!100000 b */ /*M!110000 c */ /*M!50700 d */", "Wa Wb Wd", 0, 101119, true },
    { "/*M! a */ b", "Wb", 0, 90704, false },
    { "/*!080100 a */ /*!80100 b */ /*!123 c */", "Wa Wb N123 Wc", 0, 90704, false },
    { "'a' /*! 'b' */ c", "Sab Wc", 0, 0, false },
    { "a */ b", "Wa * / Wb", 0, 0, false },
    { "@a := (b,c)", "@ Wa : = ( Wb , Wc )", 0, 0, false },
    { "'a", "!", 0, 0, false },
    { "a 'b\\'", "Wa !", 0, 0, false },
    { "`a", "!", 0, 0, false },
    { "/* a", "!", 0, 0, false },
    { "x'4", "!", 0, 0, false },
    { "a /*!99999 b /* c */", "Wa !", 0, 90704, false },
    { "/", "/", 0, 0, false },
    { "_utf8mb4", "W_utf8mb4", 0, 0, false },
};

static void write_token(struct buf *out, const struct token *token)
{
    static const char letters[] = {
        [TOKEN_WORD] = 'W', [TOKEN_QUOTED] = 'Q', [TOKEN_STRING] = 'S', [TOKEN_NUMBER] = 'N',
        [TOKEN_HEX] = 'H',  [TOKEN_BIT] = 'B',    [TOKEN_BAD] = '!'
    };
    if (out->size)
        buf_text(out, " ");
    if (token->kind != TOKEN_SYMBOL)
        buf_u8(out, (uint8_t)letters[token->kind]);
    for (size_t i = 0; i < token->text.size; i++) {
        if (token->text.data[i])
            buf_u8(out, token->text.data[i]);
        else
            buf_text(out, "\\x00");
    }
    if (token->introducer.data)
        buf_printf(out, "[%.*s]", BYTES_ARGS(token->introducer));
}

static void test_tokens(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        print_message("%s\n", cases[i].sql);
        struct arena arena = { 0 };
        struct buf out;
        buf_init(&out, 4096);
        struct lexer lexer = lexer_of(bytes_from(cases[i].sql), &arena);
        lexer.sql_mode = cases[i].sql_mode;
        lexer.server_version = cases[i].version;
        lexer.mariadb = cases[i].mariadb;
        lexer_start(&lexer);
        while (lexer.token.kind != TOKEN_END) {
            write_token(&out, &lexer.token);
            if (lexer.token.kind == TOKEN_BAD)
                break;
            lexer_next(&lexer);
        }
        buf_u8(&out, 0);
        assert_string_equal(out.data, cases[i].want);
        buf_done(&out);
        arena_done(&arena);
    }
}

static void test_parentheses(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct bytes inside;
    struct lexer lexer = lexer_of(BYTES_LITERAL("( a, (b) ')' ) c () (d"), &arena);
    lexer_start(&lexer);
    assert_true(lexer_skip_parentheses(&lexer, &inside));
    assert_true(bytes_is(inside, "a, (b) ')'"));
    assert_false(lexer_skip_parentheses(&lexer, &inside));
    assert_true(lexer_accept(&lexer, "C"));
    assert_true(lexer_skip_parentheses(&lexer, &inside));
    assert_int_equal(inside.size, 0);
    assert_false(lexer_skip_parentheses(&lexer, NULL));
    arena_done(&arena);
}

static void test_charsets(void **state)
{
    (void)state;
    assert_int_equal(charset_width(BYTES_LITERAL("UTF8MB4")), 4);
    assert_int_equal(charset_width(BYTES_LITERAL("latin1")), 1);
    assert_int_equal(charset_width(BYTES_LITERAL("")), 0);
    assert_int_equal(charset_width(BYTES_LITERAL("nope")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_parentheses),
        cmocka_unit_test(test_charsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
