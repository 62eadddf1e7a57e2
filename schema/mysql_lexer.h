/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens of MySQL's and MariaDB's SQL, one at a time and in linear time, so that a statement of
 * many megabytes costs nothing when its first words already say that it is of no interest.
 *
 * The text must be UTF-8: a statement of a client with another character set (gbk, sjis: their
 * second bytes may look like a backslash) is converted by the caller first. */
#pragma once

#include "engine/base/arena.h"

enum { /* bits of sql_mode that change how a text is read */
       SQL_MODE_REAL_AS_FLOAT = 1,
       SQL_MODE_ANSI_QUOTES = 4,
       SQL_MODE_ORACLE = 1 << 9, /* MariaDB only */
       SQL_MODE_NO_BACKSLASH_ESCAPES = 1 << 20,
};

enum token_kind {
    TOKEN_END,    /* of the statement: of the text, or a semicolon */
    TOKEN_WORD,   /* keyword or identifier without quotes: `text` as it stands */
    TOKEN_QUOTED, /* quoted identifier: `text` without quotes */
    TOKEN_STRING, /* `text` without quotes and escapes, adjacent ones joined */
    TOKEN_NUMBER, /* `text` as it stands, without a sign */
    TOKEN_HEX,    /* x'..' and 0x..: `text` is the digits */
    TOKEN_BIT,    /* b'..' and 0b..: `text` is the digits */
    TOKEN_SYMBOL, /* one character, in `symbol` */
    TOKEN_BAD,    /* a quote or a comment that does not end; nothing follows */
};

struct token {
    enum token_kind kind;
    char symbol;
    struct bytes text;
    struct bytes introducer; /* of a literal: "latin1" of _latin1'..'; NULL data: none */
    size_t start, end;       /* where it stands in the statement */
};

struct lexer {
    struct bytes sql;
    struct arena *arena; /* for texts that are not plain views */
    uint64_t sql_mode;
    uint32_t server_version; /* 0: not known, every executable comment is code */
    bool mariadb;
    bool in_executable; /* the end of a comment that was opened as code is to come */
    bool after_dot;     /* what follows a dot is an identifier, whatever it looks like */
    size_t at;          /* behind the token */
    size_t last_end;    /* behind the token before it */
    struct token token; /* the current one */
};

/* Reads the first token. A lexer may be copied to look ahead and to come back. */
struct lexer lexer_of(struct bytes sql, struct arena *arena);
void lexer_start(struct lexer *lexer); /* after the options have been set */
void lexer_next(struct lexer *lexer);

/* What the current token is. Words compare without regard to case. */
bool lexer_is(const struct lexer *lexer, const char *word);
bool lexer_is_symbol(const struct lexer *lexer, char symbol);
bool lexer_is_name(const struct lexer *lexer); /* can it name something */

/* The same, and takes it. */
bool lexer_accept(struct lexer *lexer, const char *word);
bool lexer_accept_symbol(struct lexer *lexer, char symbol);

/* Over a balanced "( ... )": the current token is the opening one. False when it does not end.
 * *inside (may be NULL) is the text between, without spaces at its ends. */
bool lexer_skip_parentheses(struct lexer *lexer, struct bytes *inside);

/* The text from `start` to the end of the token that came before the current one. */
struct bytes lexer_since(const struct lexer *lexer, size_t start);

/* ASCII letters without regard to case. */
bool text_is(struct bytes text, const char *word);
bool text_equal_fold(struct bytes a, struct bytes b);

/* Bytes a character of this character set takes at most; 0: the set is not known. utf8, utf8mb3,
 * ... as MySQL and MariaDB spell them. */
uint8_t charset_width(struct bytes charset);
