/* SPDX-License-Identifier: Apache-2.0
 *
 * The lexical rules are those of "Language Structure" in the MySQL reference manual and of
 * "Executable comment syntax" and "Identifier names" in MariaDB's, tried out on live servers where
 * the manuals are silent. What is easily got wrong:
 *   - an identifier may start with a digit (1a) and may be all digits behind a dot (db.1);
 *   - "--" starts a comment only before a space or the end, "a--1" is arithmetic;
 *   - an executable comment opens when its version is not above the server's, but MariaDB leaves
 *     50700 to 99999 closed, which are MySQL's own, and MySQL takes the MariaDB form for a plain
 * comment;
 *   - 'a' 'b' is one string, but a'b' is not; _latin1'a', N'a', x'61' and b'1' are literals. */
#include "schema/mysql_lexer.h"

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c; }

bool text_equal_fold(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++) {
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    }
    return true;
}

bool text_is(struct bytes text, const char *word)
{
    return text_equal_fold(text, bytes_from(word));
}

static const struct {
    const char *name;
    uint8_t width;
} charsets[] = {
    { "utf8mb4", 4 },  { "utf8mb3", 3 },  { "utf8", 3 },   { "latin1", 1 },  { "binary", 1 },
    { "ascii", 1 },    { "gbk", 2 },      { "gb2312", 2 }, { "gb18030", 4 }, { "big5", 2 },
    { "latin2", 1 },   { "latin5", 1 },   { "latin7", 1 }, { "ucs2", 2 },    { "utf16", 4 },
    { "utf16le", 4 },  { "utf32", 4 },    { "sjis", 2 },   { "cp932", 2 },   { "ujis", 3 },
    { "eucjpms", 3 },  { "euckr", 2 },    { "cp1250", 1 }, { "cp1251", 1 },  { "cp1256", 1 },
    { "cp1257", 1 },   { "cp850", 1 },    { "cp852", 1 },  { "cp866", 1 },   { "koi8r", 1 },
    { "koi8u", 1 },    { "swe7", 1 },     { "tis620", 1 }, { "greek", 1 },   { "hebrew", 1 },
    { "armscii8", 1 }, { "dec8", 1 },     { "hp8", 1 },    { "geostd8", 1 }, { "keybcs2", 1 },
    { "macce", 1 },    { "macroman", 1 },
};

uint8_t charset_width(struct bytes charset)
{
    for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++) {
        if (text_is(charset, charsets[i].name))
            return charsets[i].width;
    }
    return 0;
}

static bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static bool is_hex(uint8_t c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }

static bool is_word(uint8_t c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '_' || c == '$' || c >= 0x80;
}

/* The byte at this place, 0 behind the end. */
static uint8_t byte_at(const struct lexer *lexer, size_t at)
{
    return at < lexer->sql.size ? lexer->sql.data[at] : 0;
}

static bool fail(struct lexer *lexer)
{
    lexer->at = lexer->sql.size;
    lexer->token.kind = TOKEN_BAD;
    return false;
}

static void skip_line(struct lexer *lexer)
{
    while (lexer->at < lexer->sql.size && lexer->sql.data[lexer->at] != '\n')
        lexer->at++;
}

/* From behind the opening to behind the end, over one level of comments inside when `nested`: that
 * is how the servers skip an executable comment that they do not open. */
static bool skip_comment(struct lexer *lexer, bool nested)
{
    for (; lexer->at + 1 < lexer->sql.size; lexer->at++) {
        uint8_t c = byte_at(lexer, lexer->at), next = byte_at(lexer, lexer->at + 1);
        if (c == '*' && next == '/') {
            lexer->at += 2;
            return true;
        }
        if (nested && c == '/' && next == '*') {
            lexer->at += 2;
            if (!skip_comment(lexer, false))
                return false;
            lexer->at--;
        }
    }
    return fail(lexer);
}

/* The version in an executable comment: 5 or 6 digits or none (0). */
static uint32_t take_version(struct lexer *lexer)
{
    uint32_t version = 0;
    size_t count = 0;
    while (count < 6 && is_digit(byte_at(lexer, lexer->at + count)))
        version = version * 10 + byte_at(lexer, lexer->at + count++) - '0';
    if (count < 5)
        return 0;
    lexer->at += count;
    return version;
}

static bool opens(const struct lexer *lexer, uint32_t version, bool mariadb_form)
{
    if (lexer->server_version == 0 || version == 0)
        return true;
    if (version > lexer->server_version)
        return false;
    return !lexer->mariadb || mariadb_form || version < 50700 || version > 99999;
}

/* At a slash and a star. */
static bool enter_comment(struct lexer *lexer)
{
    uint8_t third = byte_at(lexer, lexer->at + 2);
    bool mariadb_form = third == 'M' && byte_at(lexer, lexer->at + 3) == '!';
    if (third != '!' && !(mariadb_form && lexer->mariadb)) {
        lexer->at += 2;
        return skip_comment(lexer, false);
    }
    lexer->at += mariadb_form ? 4 : 3;
    if (!opens(lexer, take_version(lexer), mariadb_form))
        return skip_comment(lexer, true);
    lexer->in_executable = true;
    return true;
}

/* Over spaces and comments; false when one does not end. */
static bool skip_blank(struct lexer *lexer)
{
    for (;;) {
        uint8_t c = byte_at(lexer, lexer->at), next = byte_at(lexer, lexer->at + 1);
        if (lexer->at >= lexer->sql.size) {
            return true;
        } else if (is_space(c)) {
            lexer->at++;
        } else if (c == '#') {
            skip_line(lexer);
        } else if (c == '-' && next == '-' && byte_at(lexer, lexer->at + 2) <= ' ') {
            skip_line(lexer);
        } else if (c == '/' && next == '*') {
            if (!enter_comment(lexer))
                return false;
        } else if (c == '*' && next == '/' && lexer->in_executable) {
            lexer->in_executable = false;
            lexer->at += 2;
        } else {
            return true;
        }
    }
}

static struct bytes slice(const struct lexer *lexer, size_t start, size_t end)
{
    return (struct bytes){ lexer->sql.data + start, end - start };
}

static bool escapes(const struct lexer *lexer, uint8_t quote)
{
    return quote != '`' && !(lexer->sql_mode & SQL_MODE_NO_BACKSLASH_ESCAPES) &&
           !(quote == '"' && lexer->sql_mode & SQL_MODE_ANSI_QUOTES);
}

/* Behind the closing quote of what opens at `at`, 0 when there is none. *plain: the text is a view.
 */
static size_t quote_end(const struct lexer *lexer, size_t at, bool *plain)
{
    uint8_t quote = byte_at(lexer, at++);
    bool backslash = escapes(lexer, quote);
    for (; at < lexer->sql.size; at++) {
        uint8_t c = lexer->sql.data[at];
        if (c == '\\' && backslash) {
            *plain = false;
            at++;
        } else if (c == quote) {
            if (byte_at(lexer, at + 1) != quote || at + 1 >= lexer->sql.size)
                return at + 1;
            *plain = false;
            at++;
        }
    }
    return 0;
}

/* What a backslash and this character stand for; the two wildcards keep their backslash. */
static uint8_t unescape(uint8_t c)
{
    switch (c) {
    case '0':
        return 0;
    case 'b':
        return '\b';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'Z':
        return 0x1a;
    default:
        return c;
    }
}

/* Appends the content between the quotes at start and end - 1 to `out`; returns its size. */
static size_t unquote(const struct lexer *lexer, size_t start, size_t end, uint8_t *out)
{
    const uint8_t *in = lexer->sql.data;
    uint8_t quote = in[start];
    bool backslash = escapes(lexer, quote);
    size_t size = 0;
    for (size_t i = start + 1; i < end - 1; i++) {
        if (in[i] == '\\' && backslash) {
            i++;
            if (in[i] == '%' || in[i] == '_')
                out[size++] = '\\';
            out[size++] = unescape(in[i]);
        } else {
            out[size++] = in[i];
            if (in[i] == quote)
                i++;
        }
    }
    return size;
}

static bool quotes_string(const struct lexer *lexer, uint8_t c)
{
    return c == '\'' || (c == '"' && !(lexer->sql_mode & SQL_MODE_ANSI_QUOTES));
}

static bool take_identifier(struct lexer *lexer)
{
    bool plain = true;
    size_t start = lexer->at, end = quote_end(lexer, start, &plain);
    if (end == 0)
        return fail(lexer);
    lexer->at = end;
    lexer->token.kind = TOKEN_QUOTED;
    lexer->token.text = slice(lexer, start + 1, end - 1);
    if (!plain) {
        uint8_t *out = arena_raw(lexer->arena, end - start);
        lexer->token.text = (struct bytes){ out, unquote(lexer, start, end, out) };
    }
    return true;
}

/* A string and those that follow it: first where they end, then one copy of all. */
static bool take_string(struct lexer *lexer)
{
    size_t start = lexer->at, pieces = 0, end = 0;
    bool plain = true;
    struct lexer scan = *lexer, last = *lexer;
    while (scan.at < scan.sql.size && quotes_string(&scan, scan.sql.data[scan.at])) {
        end = quote_end(&scan, scan.at, &plain);
        if (end == 0)
            return fail(lexer);
        scan.at = end;
        last = scan;
        pieces++;
        if (!skip_blank(&scan))
            break;
    }
    struct lexer again = *lexer;
    *lexer = last;
    lexer->token.kind = TOKEN_STRING;
    lexer->token.text = slice(lexer, start + 1, end - 1);
    if (pieces == 1 && plain)
        return true;
    uint8_t *out = arena_raw(lexer->arena, end - start);
    size_t size = 0;
    for (size_t i = 0; i < pieces; i++) {
        size_t piece = quote_end(&again, again.at, &plain);
        size += unquote(&again, again.at, piece, out + size);
        again.at = piece;
        if (i + 1 < pieces)
            skip_blank(&again);
    }
    lexer->token.text = (struct bytes){ out, size };
    return true;
}

/* x'..' or b'..' at the letter. */
static bool take_quoted_digits(struct lexer *lexer, enum token_kind kind)
{
    bool plain = true;
    size_t start = lexer->at + 1, end = quote_end(lexer, start, &plain);
    if (end == 0)
        return fail(lexer);
    lexer->token.kind = kind;
    lexer->token.text = slice(lexer, start + 1, end - 1);
    lexer->at = end;
    return true;
}

static size_t digits_end(const struct lexer *lexer, size_t at)
{
    while (is_digit(byte_at(lexer, at)))
        at++;
    return at;
}

/* 0x41 and 0b01, when nothing of a word follows. */
static bool take_prefixed_digits(struct lexer *lexer)
{
    uint8_t letter = byte_at(lexer, lexer->at + 1);
    if (byte_at(lexer, lexer->at) != '0' || (letter != 'x' && letter != 'b'))
        return false;
    size_t start = lexer->at + 2, end = start;
    while (letter == 'x' ? is_hex(byte_at(lexer, end)) : (byte_at(lexer, end) | 1) == '1')
        end++;
    if (end == start || is_word(byte_at(lexer, end)))
        return false;
    lexer->token.kind = letter == 'x' ? TOKEN_HEX : TOKEN_BIT;
    lexer->token.text = slice(lexer, start, end);
    lexer->at = end;
    return true;
}

/* 12, 1.5, .5, 1e-3; false when it is a word that starts with digits. */
static bool take_number(struct lexer *lexer)
{
    size_t start = lexer->at, end = digits_end(lexer, start);
    if (byte_at(lexer, end) == '.')
        end = digits_end(lexer, end + 1);
    if (lower(byte_at(lexer, end)) == 'e') {
        size_t sign = end + 1;
        if (byte_at(lexer, sign) == '+' || byte_at(lexer, sign) == '-')
            sign++;
        if (is_digit(byte_at(lexer, sign)))
            end = digits_end(lexer, sign);
    }
    if (is_word(byte_at(lexer, end)) && memchr(lexer->sql.data + start, '.', end - start) == NULL)
        return false;
    lexer->token.kind = TOKEN_NUMBER;
    lexer->token.text = slice(lexer, start, end);
    lexer->at = end;
    return true;
}

/* Does a literal that takes an introducer start here? */
static bool at_literal(const struct lexer *lexer)
{
    uint8_t c = byte_at(lexer, lexer->at), next = byte_at(lexer, lexer->at + 1);
    if (quotes_string(lexer, c))
        return true;
    bool letter = lower(c) == 'x' || lower(c) == 'b';
    return (letter && next == '\'') || (c == '0' && (next == 'x' || next == 'b'));
}

static void take_literal(struct lexer *lexer)
{
    uint8_t c = byte_at(lexer, lexer->at);
    if (quotes_string(lexer, c))
        take_string(lexer);
    else if (c != '0')
        take_quoted_digits(lexer, lower(c) == 'x' ? TOKEN_HEX : TOKEN_BIT);
    else
        take_prefixed_digits(lexer);
}

/* _latin1 in front of a literal: the literal, with its character set. */
static bool take_introduced(struct lexer *lexer, struct bytes word)
{
    if (word.size < 2 || word.data[0] != '_')
        return false;
    struct bytes charset = { word.data + 1, word.size - 1 };
    if (charset_width(charset) == 0)
        return false;
    struct lexer ahead = *lexer;
    if (!skip_blank(&ahead) || !at_literal(&ahead))
        return false;
    take_literal(&ahead);
    if (ahead.token.kind == TOKEN_END) /* 0b without digits: a word after all */
        return false;
    *lexer = ahead;
    lexer->token.introducer = charset;
    return true;
}

static void take_word(struct lexer *lexer)
{
    size_t start = lexer->at;
    uint8_t first = lower(byte_at(lexer, start));
    bool quote = byte_at(lexer, start + 1) == '\'' && !lexer->after_dot;
    if (quote && (first == 'x' || first == 'b')) {
        take_quoted_digits(lexer, first == 'x' ? TOKEN_HEX : TOKEN_BIT);
        return;
    }
    if (quote && first == 'n') {
        lexer->at++;
        take_string(lexer);
        return;
    }
    while (is_word(byte_at(lexer, lexer->at)))
        lexer->at++;
    struct bytes word = slice(lexer, start, lexer->at);
    if (!lexer->after_dot && take_introduced(lexer, word))
        return;
    lexer->token.kind = TOKEN_WORD;
    lexer->token.text = word;
}

static void take_symbol(struct lexer *lexer, uint8_t c)
{
    lexer->token.kind = c == ';' ? TOKEN_END : TOKEN_SYMBOL;
    lexer->token.symbol = (char)c;
    lexer->token.text = slice(lexer, lexer->at, lexer->at + 1);
    lexer->at = c == ';' ? lexer->sql.size : lexer->at + 1;
}

static void take_token(struct lexer *lexer, bool joins)
{
    uint8_t c = byte_at(lexer, lexer->at);
    if (c == '`' || (c == '"' && lexer->sql_mode & SQL_MODE_ANSI_QUOTES)) {
        take_identifier(lexer);
    } else if (quotes_string(lexer, c)) {
        take_string(lexer);
    } else if (is_digit(c) && !lexer->after_dot) {
        if (!take_prefixed_digits(lexer) && !take_number(lexer))
            take_word(lexer);
    } else if (c == '.' && is_digit(byte_at(lexer, lexer->at + 1)) && !joins) {
        take_number(lexer);
    } else if (is_word(c)) {
        take_word(lexer);
    } else {
        take_symbol(lexer, c);
    }
}

void lexer_next(struct lexer *lexer)
{
    if (lexer->token.kind == TOKEN_BAD)
        return;
    bool named = lexer->token.kind == TOKEN_WORD || lexer->token.kind == TOKEN_QUOTED;
    lexer->after_dot = lexer->token.kind == TOKEN_SYMBOL && lexer->token.symbol == '.';
    size_t behind = lexer->at;
    lexer->last_end = lexer->token.end;
    lexer->token = (struct token){ .kind = TOKEN_END, .text = { lexer->sql.data, 0 } };
    if (!skip_blank(lexer))
        return;
    lexer->token.start = lexer->at;
    if (lexer->at < lexer->sql.size)
        take_token(lexer, named && behind == lexer->at);
    lexer->token.end = lexer->at;
}

struct lexer lexer_of(struct bytes sql, struct arena *arena)
{
    return (struct lexer){ .sql = sql, .arena = arena };
}

void lexer_start(struct lexer *lexer) { lexer_next(lexer); }

bool lexer_is(const struct lexer *lexer, const char *word)
{
    return lexer->token.kind == TOKEN_WORD && text_is(lexer->token.text, word);
}

bool lexer_is_symbol(const struct lexer *lexer, char symbol)
{
    return lexer->token.kind == TOKEN_SYMBOL && lexer->token.symbol == symbol;
}

bool lexer_is_name(const struct lexer *lexer)
{
    return lexer->token.kind == TOKEN_WORD || lexer->token.kind == TOKEN_QUOTED;
}

bool lexer_accept(struct lexer *lexer, const char *word)
{
    bool is = lexer_is(lexer, word);
    if (is)
        lexer_next(lexer);
    return is;
}

bool lexer_accept_symbol(struct lexer *lexer, char symbol)
{
    bool is = lexer_is_symbol(lexer, symbol);
    if (is)
        lexer_next(lexer);
    return is;
}

struct bytes lexer_since(const struct lexer *lexer, size_t start)
{
    return slice(lexer, start, lexer->last_end > start ? lexer->last_end : start);
}

bool lexer_skip_parentheses(struct lexer *lexer, struct bytes *inside)
{
    size_t depth = 0, start = 0;
    if (!lexer_is_symbol(lexer, '('))
        return false;
    do {
        if (lexer_is_symbol(lexer, '('))
            depth++;
        else if (lexer_is_symbol(lexer, ')'))
            depth--;
        else if (lexer->token.kind == TOKEN_END || lexer->token.kind == TOKEN_BAD)
            return false;
        if (depth == 0 && inside)
            *inside = lexer_since(lexer, start);
        lexer_next(lexer);
        if (start == 0)
            start = lexer->token.start;
    } while (depth > 0);
    return true;
}
