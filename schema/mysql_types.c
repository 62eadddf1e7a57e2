/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of types and their synonyms are those of "Data Types" in the MySQL reference manual and in
 * MariaDB's; COLUMN_TYPE was compared with live servers. There, labels of ENUM and SET are always
 * written with backslash escapes, whatever the sql_mode; characters outside the BMP are already "?"
 * in them, because the column is utf8mb3. */
#include "schema/mysql_types.h"

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/cleanup.h"
#include "schema/mysql_ddl.h"

enum { LABELS_MAX = 65535, SPELLING_MAX = 64 << 20 };

struct type_name {
    const char *word, *base;
    enum mysql_family family;
    uint8_t size;
};

static const struct type_name type_names[] = {
    { "int", "int", MYSQL_INT, 32 },
    { "bigint", "bigint", MYSQL_INT, 64 },
    { "varchar", "varchar", MYSQL_VARCHAR, 0 },
    { "char", "char", MYSQL_CHAR, 0 },
    { "text", "text", MYSQL_TEXT, 2 },
    { "datetime", "datetime", MYSQL_DATETIME, 0 },
    { "timestamp", "timestamp", MYSQL_TIMESTAMP, 0 },
    { "date", "date", MYSQL_DATE, 0 },
    { "time", "time", MYSQL_TIME, 0 },
    { "year", "year", MYSQL_YEAR, 0 },
    { "decimal", "decimal", MYSQL_DECIMAL, 0 },
    { "numeric", "decimal", MYSQL_DECIMAL, 0 },
    { "dec", "decimal", MYSQL_DECIMAL, 0 },
    { "fixed", "decimal", MYSQL_DECIMAL, 0 },
    { "number", "decimal", MYSQL_DECIMAL, 0 },
    { "float", "float", MYSQL_FLOAT, 0 },
    { "float4", "float", MYSQL_FLOAT, 0 },
    { "double", "double", MYSQL_DOUBLE, 0 },
    { "float8", "double", MYSQL_DOUBLE, 0 },
    { "real", "double", MYSQL_DOUBLE, 0 },
    { "tinyint", "tinyint", MYSQL_INT, 8 },
    { "int1", "tinyint", MYSQL_INT, 8 },
    { "bool", "tinyint", MYSQL_INT, 8 },
    { "boolean", "tinyint", MYSQL_INT, 8 },
    { "smallint", "smallint", MYSQL_INT, 16 },
    { "int2", "smallint", MYSQL_INT, 16 },
    { "mediumint", "mediumint", MYSQL_INT, 24 },
    { "middleint", "mediumint", MYSQL_INT, 24 },
    { "int3", "mediumint", MYSQL_INT, 24 },
    { "integer", "int", MYSQL_INT, 32 },
    { "int4", "int", MYSQL_INT, 32 },
    { "int8", "bigint", MYSQL_INT, 64 },
    { "serial", "bigint", MYSQL_INT, 64 },
    { "bit", "bit", MYSQL_BIT, 0 },
    { "character", "char", MYSQL_CHAR, 0 },
    { "nchar", "char", MYSQL_CHAR, 0 },
    { "varcharacter", "varchar", MYSQL_VARCHAR, 0 },
    { "nvarchar", "varchar", MYSQL_VARCHAR, 0 },
    { "varchar2", "varchar", MYSQL_VARCHAR, 0 },
    { "tinytext", "tinytext", MYSQL_TEXT, 1 },
    { "mediumtext", "mediumtext", MYSQL_TEXT, 3 },
    { "longtext", "longtext", MYSQL_TEXT, 4 },
    { "long", "mediumtext", MYSQL_TEXT, 3 },
    { "clob", "longtext", MYSQL_TEXT, 4 },
    { "binary", "binary", MYSQL_BINARY, 0 },
    { "varbinary", "varbinary", MYSQL_VARBINARY, 0 },
    { "raw", "varbinary", MYSQL_VARBINARY, 0 },
    { "tinyblob", "tinyblob", MYSQL_BLOB, 1 },
    { "blob", "blob", MYSQL_BLOB, 2 },
    { "mediumblob", "mediumblob", MYSQL_BLOB, 3 },
    { "longblob", "longblob", MYSQL_BLOB, 4 },
    { "enum", "enum", MYSQL_ENUM, 0 },
    { "set", "set", MYSQL_SET, 0 },
    { "json", "json", MYSQL_JSON, 0 },
    { "geometry", "geometry", MYSQL_GEOMETRY, 0 },
    { "point", "point", MYSQL_GEOMETRY, 0 },
    { "linestring", "linestring", MYSQL_GEOMETRY, 0 },
    { "polygon", "polygon", MYSQL_GEOMETRY, 0 },
    { "multipoint", "multipoint", MYSQL_GEOMETRY, 0 },
    { "multilinestring", "multilinestring", MYSQL_GEOMETRY, 0 },
    { "multipolygon", "multipolygon", MYSQL_GEOMETRY, 0 },
    { "geometrycollection", "geometrycollection", MYSQL_GEOMETRY, 0 },
    { "geomcollection", "geometrycollection", MYSQL_GEOMETRY, 0 },
    { "vector", "vector", MYSQL_VECTOR, 0 },
    { "uuid", "uuid", MYSQL_UUID, 0 },
    { "inet4", "inet4", MYSQL_INET4, 0 },
    { "inet6", "inet6", MYSQL_INET6, 0 },
};

/* By the bytes of their length. */
static const char *const text_bases[] = { "text", "tinytext", "text", "mediumtext", "longtext" };
static const char *const blob_bases[] = { "blob", "tinyblob", "blob", "mediumblob", "longblob" };

bool mysql_family_is_text(enum mysql_family family)
{
    return family == MYSQL_CHAR || family == MYSQL_VARCHAR || family == MYSQL_TEXT ||
           family == MYSQL_ENUM || family == MYSQL_SET;
}

static void set_family(struct mysql_spelling *out, enum mysql_family family, const char *base)
{
    out->family = family;
    out->base = base;
}

static bool take_number(struct lexer *lexer, uint32_t *out)
{
    if (lexer->token.kind != TOKEN_NUMBER)
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < lexer->token.text.size; i++) {
        uint8_t c = lexer->token.text.data[i];
        if (c < '0' || c > '9' || number > UINT32_MAX)
            return false;
        number = number * 10 + c - '0';
    }
    if (number > UINT32_MAX)
        return false;
    *out = (uint32_t)number;
    lexer_next(lexer);
    return true;
}

/* "(10)", "(10,2)" or nothing. VARCHAR2(10 CHAR) is Oracle's. */
static bool take_length(struct lexer *lexer, struct mysql_spelling *out)
{
    if (!lexer_accept_symbol(lexer, '('))
        return true;
    if (!take_number(lexer, &out->length))
        return false;
    out->has_length = true;
    if (lexer_accept_symbol(lexer, ',')) {
        if (!take_number(lexer, &out->scale))
            return false;
        out->has_scale = true;
    }
    if (!lexer_accept(lexer, "char"))
        lexer_accept(lexer, "byte");
    return lexer_accept_symbol(lexer, ')');
}

static uint8_t hex_digit(uint8_t c) { return (uint8_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10); }

/* The bytes of a literal that may be a label. */
static bool label_bytes(const struct token *token, struct arena *arena, struct bytes *out)
{
    if (token->kind == TOKEN_STRING)
        *out = token->text;
    if (token->kind != TOKEN_HEX)
        return token->kind == TOKEN_STRING;
    size_t size = (token->text.size + 1) / 2, odd = token->text.size % 2;
    uint8_t *data = arena_raw(arena, size + 1);
    memset(data, 0, size + 1);
    for (size_t i = 0; i < token->text.size; i++) {
        uint8_t *at = &data[(i + odd) / 2];
        *at = (uint8_t)(*at << 4 | (hex_digit(token->text.data[i]) & 15));
    }
    *out = (struct bytes){ data, size };
    return true;
}

static bool take_labels(struct lexer *lexer, struct mysql_spelling *out)
{
    struct lexer count = *lexer;
    size_t labels = 0, depth = 0;
    for (; count.token.kind != TOKEN_END && count.token.kind != TOKEN_BAD; lexer_next(&count)) {
        depth += lexer_is_symbol(&count, '(');
        labels += !lexer_is_symbol(&count, '(') && !lexer_is_symbol(&count, ',');
        if (lexer_is_symbol(&count, ')') || depth > 1 || labels > LABELS_MAX)
            break;
    }
    if (!lexer_accept_symbol(lexer, '(') || labels < 2 || labels > LABELS_MAX)
        return false;
    struct bytes *list = arena_array(lexer->arena, labels, sizeof *list);
    out->labels = list;
    do {
        if (out->label_count >= labels)
            return false;
        if (!label_bytes(&lexer->token, lexer->arena, &list[out->label_count]))
            return false;
        out->label_count++;
        lexer_next(lexer);
    } while (lexer_accept_symbol(lexer, ','));
    return lexer_accept_symbol(lexer, ')');
}

static const struct type_name *find_name(const struct lexer *lexer)
{
    for (size_t i = 0; i < ARRAY_SIZE(type_names); i++) {
        if (lexer_is(lexer, type_names[i].word))
            return &type_names[i];
    }
    return NULL;
}

/* Behind LONG: LONG, LONG VARCHAR, LONG CHAR VARYING, LONG VARBINARY. */
static void take_long(struct lexer *lexer, struct mysql_spelling *out)
{
    if (lexer_accept(lexer, "varbinary")) {
        set_family(out, MYSQL_BLOB, "mediumblob");
    } else if (lexer_accept(lexer, "char") || lexer_accept(lexer, "character")) {
        lexer_accept(lexer, "varying");
    } else if (!lexer_accept(lexer, "varchar")) {
        lexer_accept(lexer, "varcharacter");
    }
}

/* The words of a type before its parentheses; synonyms of several words become one of ours. */
static bool take_words(struct lexer *lexer, struct mysql_spelling *out)
{
    bool national = lexer_accept(lexer, "national");
    if (lexer_is(lexer, "mariadb_schema")) {
        lexer_next(lexer);
        if (!lexer_accept_symbol(lexer, '.'))
            return false;
    } else if (lexer->mariadb && lexer->sql_mode & SQL_MODE_ORACLE && lexer_is(lexer, "date")) {
        lexer_next(lexer);
        set_family(out, MYSQL_DATETIME, "datetime");
        return true;
    }
    const struct type_name *name = find_name(lexer);
    if (!name)
        return false;
    *out =
        (struct mysql_spelling){ .family = name->family, .base = name->base, .size = name->size };
    national |= lexer_is(lexer, "nchar") || lexer_is(lexer, "nvarchar");
    if (lexer_is(lexer, "bool") || lexer_is(lexer, "boolean"))
        out->has_length = true, out->length = 1;
    bool number = lexer_is(lexer, "number"), real = lexer_is(lexer, "real");
    bool is_long = lexer_is(lexer, "long");
    out->serial = out->is_unsigned = lexer_is(lexer, "serial");
    lexer_next(lexer);
    if (is_long)
        take_long(lexer, out);
    if (out->family == MYSQL_DOUBLE)
        lexer_accept(lexer, "precision");
    if (real && lexer->sql_mode & SQL_MODE_REAL_AS_FLOAT)
        set_family(out, MYSQL_FLOAT, "float");
    if (number && !lexer_is_symbol(lexer, '('))
        set_family(out, MYSQL_DOUBLE, "double");
    if (out->family == MYSQL_CHAR &&
        (lexer_accept(lexer, "varying") || lexer_accept(lexer, "varchar")))
        set_family(out, MYSQL_VARCHAR, "varchar");
    if (national)
        out->charset = BYTES_LITERAL("utf8mb3");
    return true;
}

/* CHARACTER SET x, CHARSET x, CHAR SET x: true when it was there. */
static bool take_charset(struct lexer *lexer, struct bytes *out)
{
    struct lexer ahead = *lexer;
    bool two = lexer_accept(&ahead, "character") || lexer_accept(&ahead, "char");
    if (two ? !lexer_accept(&ahead, "set") : !lexer_accept(&ahead, "charset"))
        return false;
    lexer_accept_symbol(&ahead, '=');
    if (!lexer_is_name(&ahead) && ahead.token.kind != TOKEN_STRING)
        return false;
    *out = ahead.token.text;
    lexer_next(&ahead);
    *lexer = ahead;
    return true;
}

/* One attribute of a text type; false: there is none. */
static bool take_text_attribute(struct lexer *lexer, struct mysql_spelling *out)
{
    if (take_charset(lexer, &out->charset))
        return true;
    if (lexer_accept(lexer, "binary"))
        return out->binary_collation = true;
    if (lexer_accept(lexer, "ascii"))
        out->charset = BYTES_LITERAL("latin1");
    else if (lexer_accept(lexer, "unicode"))
        out->charset = BYTES_LITERAL("ucs2");
    else if (lexer_accept(lexer, "byte"))
        out->charset = BYTES_LITERAL("binary");
    else
        return false;
    return true;
}

static bool take_number_attribute(struct lexer *lexer, struct mysql_spelling *out)
{
    if (lexer_accept(lexer, "unsigned"))
        return out->is_unsigned = true;
    if (lexer_accept(lexer, "zerofill"))
        return out->is_unsigned = out->zerofill = true;
    return lexer_accept(lexer, "signed");
}

static bool take_compressed(struct lexer *lexer, struct mysql_spelling *out)
{
    if (!lexer->mariadb || !lexer_accept(lexer, "compressed"))
        return false;
    if (lexer_accept_symbol(lexer, '='))
        lexer_next(lexer);
    return out->compressed = true;
}

/* FLOAT(30) is a double, FLOAT(10) a float: the number is a precision in bits. */
static void fit_float(struct mysql_spelling *out)
{
    if (out->family != MYSQL_FLOAT || !out->has_length || out->has_scale)
        return;
    if (out->length > 24)
        set_family(out, MYSQL_DOUBLE, "double");
    out->has_length = false;
}

bool mysql_type_take(struct lexer *lexer, struct mysql_spelling *out)
{
    *out = (struct mysql_spelling){ 0 };
    if (!take_words(lexer, out))
        return false;
    bool labels = out->family == MYSQL_ENUM || out->family == MYSQL_SET;
    if (labels ? !take_labels(lexer, out) : !take_length(lexer, out))
        return false;
    fit_float(out);
    bool text = mysql_family_is_text(out->family), number = out->family <= MYSQL_DECIMAL;
    while ((text && take_text_attribute(lexer, out)) ||
           (number && take_number_attribute(lexer, out)) || take_compressed(lexer, out))
        ;
    return true;
}

/* TEXT(n) and BLOB(n) are the smallest that holds so many characters. */
static void fit_blob(struct mysql_spelling *spelling, uint32_t width)
{
    uint64_t size = (uint64_t)spelling->length * width;
    if (spelling->has_length && size > 0)
        spelling->size = size < 1u << 8 ? 1 : size < 1u << 16 ? 2 : size < 1u << 24 ? 3 : 4;
    spelling->has_length = false;
}

void mysql_type_settle(struct mysql_spelling *spelling, struct bytes charset)
{
    bool bytes = text_is(charset, "binary");
    if (spelling->family == MYSQL_CHAR && bytes)
        set_family(spelling, MYSQL_BINARY, "binary");
    if (spelling->family == MYSQL_VARCHAR && bytes)
        set_family(spelling, MYSQL_VARBINARY, "varbinary");
    if (spelling->family == MYSQL_TEXT || spelling->family == MYSQL_BLOB) {
        bool blob = bytes || spelling->family == MYSQL_BLOB;
        uint8_t width = blob ? 1 : charset_width(charset);
        fit_blob(spelling, width ? width : 1);
        set_family(spelling, blob ? MYSQL_BLOB : MYSQL_TEXT,
                   (blob ? blob_bases : text_bases)[spelling->size]);
    }
    if (!mysql_family_is_text(spelling->family))
        spelling->binary_collation = false;
}

void mysql_type_alias_json(struct mysql_spelling *spelling)
{
    set_family(spelling, MYSQL_TEXT, "longtext");
    spelling->size = 4;
}

/* The servers take spaces off the ends of labels, but not in the binary set. */
static struct bytes trim_label(struct bytes label)
{
    while (label.size > 0 && label.data[label.size - 1] == ' ')
        label.size--;
    return label;
}

static bool canonical_labels(const struct mysql_spelling *spelling, struct arena *arena,
                             struct type *out)
{
    if (spelling->family == MYSQL_SET && spelling->label_count > 64)
        return false;
    struct bytes *members = arena_array(arena, spelling->label_count, sizeof *members);
    for (size_t i = 0; i < spelling->label_count; i++) {
        struct bytes label = spelling->labels[i];
        members[i] =
            arena_copy(arena, text_is(spelling->charset, "binary") ? label : trim_label(label));
    }
    out->kind = spelling->family == MYSQL_SET ? TYPE_SET : TYPE_ENUM;
    out->members = members;
    out->member_count = spelling->label_count;
    return true;
}

static bool canonical_decimal(const struct mysql_spelling *spelling, struct type *out)
{
    uint32_t precision = spelling->has_length && spelling->length ? spelling->length : 10;
    if (precision > 65 || spelling->scale > 38 || spelling->scale > precision)
        return false;
    out->kind = TYPE_DECIMAL;
    out->precision = (uint8_t)precision;
    out->scale = (uint8_t)spelling->scale;
    return true;
}

static bool canonical_time(const struct mysql_spelling *spelling, enum type_kind kind,
                           struct type *out)
{
    if (spelling->length > 6)
        return false;
    out->kind = kind;
    out->scale = (uint8_t)spelling->length;
    return true;
}

static bool canonical_sized(const struct mysql_spelling *spelling, enum type_kind kind,
                            uint32_t absent, struct type *out)
{
    out->kind = kind;
    out->length = spelling->has_length ? spelling->length : absent;
    return true;
}

static bool canonical_int(const struct mysql_spelling *spelling, struct type *out)
{
    out->kind = spelling->is_unsigned ? TYPE_UINT : TYPE_INT;
    out->bits = spelling->size;
    out->boolean = spelling->size == 8 && spelling->has_length && spelling->length == 1 &&
                   !spelling->is_unsigned;
    return true;
}

static bool canonical_plain(const struct mysql_spelling *spelling, struct type *out)
{
    static const enum type_kind kinds[] = {
        [MYSQL_FLOAT] = TYPE_FLOAT, [MYSQL_DOUBLE] = TYPE_DOUBLE,     [MYSQL_YEAR] = TYPE_YEAR,
        [MYSQL_DATE] = TYPE_DATE,   [MYSQL_TEXT] = TYPE_TEXT,         [MYSQL_BLOB] = TYPE_BYTES,
        [MYSQL_JSON] = TYPE_JSON,   [MYSQL_GEOMETRY] = TYPE_GEOMETRY, [MYSQL_UUID] = TYPE_UUID,
        [MYSQL_INET4] = TYPE_INET4, [MYSQL_INET6] = TYPE_INET6,
    };
    out->kind = kinds[spelling->family];
    return true;
}

static bool fill_type(const struct mysql_spelling *spelling, struct arena *arena, struct type *out)
{
    switch (spelling->family) {
    case MYSQL_INT:
        return canonical_int(spelling, out);
    case MYSQL_DECIMAL:
        return canonical_decimal(spelling, out);
    case MYSQL_BIT:
        return canonical_sized(spelling, TYPE_BIT, 1, out) && out->length > 0 && out->length <= 64;
    case MYSQL_TIME:
        return canonical_time(spelling, TYPE_TIME, out);
    case MYSQL_DATETIME:
        return canonical_time(spelling, TYPE_DATETIME, out);
    case MYSQL_TIMESTAMP:
        return canonical_time(spelling, TYPE_TIMESTAMP, out);
    case MYSQL_CHAR:
        out->fixed = true;
        return canonical_sized(spelling, TYPE_TEXT, 1, out);
    case MYSQL_VARCHAR:
        return canonical_sized(spelling, TYPE_TEXT, 0, out);
    case MYSQL_BINARY:
        out->fixed = true;
        return canonical_sized(spelling, TYPE_BYTES, 1, out);
    case MYSQL_VARBINARY:
        return canonical_sized(spelling, TYPE_BYTES, 0, out);
    case MYSQL_VECTOR:
        return canonical_sized(spelling, TYPE_VECTOR, 2048, out);
    case MYSQL_ENUM:
    case MYSQL_SET:
        return canonical_labels(spelling, arena, out);
    case MYSQL_FLOAT:
    case MYSQL_DOUBLE:
    case MYSQL_YEAR:
    case MYSQL_DATE:
    case MYSQL_TEXT:
    case MYSQL_BLOB:
    case MYSQL_JSON:
    case MYSQL_GEOMETRY:
    case MYSQL_UUID:
    case MYSQL_INET4:
    case MYSQL_INET6:
        return canonical_plain(spelling, out);
    }
    return false;
}

bool mysql_type_canonical(const struct mysql_spelling *spelling, struct arena *arena,
                          struct type *out)
{
    struct type type = { 0 };
    if (!fill_type(spelling, arena, &type))
        return false;
    *out = type;
    return true;
}

static void spell_label(struct buf *out, struct bytes label)
{
    buf_u8(out, '\'');
    for (size_t i = 0; i < label.size; i++) {
        uint8_t c = label.data[i];
        switch (c) {
        case 0:
            buf_text(out, "\\0");
            break;
        case '\n':
            buf_text(out, "\\n");
            break;
        case '\r':
            buf_text(out, "\\r");
            break;
        case '\\':
            buf_text(out, "\\\\");
            break;
        case '\'':
            buf_text(out, "''");
            break;
        default:
            buf_u8(out, c);
        }
    }
    buf_u8(out, '\'');
}

static void spell_labels(struct buf *out, const struct mysql_spelling *spelling)
{
    for (size_t i = 0; i < spelling->label_count; i++) {
        buf_u8(out, i ? ',' : '(');
        spell_label(out, trim_label(spelling->labels[i]));
    }
    buf_u8(out, ')');
}

/* The display width of an integer when none is written, as long as the server shows one. */
static uint32_t integer_width(const struct mysql_spelling *spelling)
{
    switch (spelling->size) {
    case 8:
        return spelling->is_unsigned ? 3 : 4;
    case 16:
        return spelling->is_unsigned ? 5 : 6;
    case 24:
        return spelling->is_unsigned ? 8 : 9;
    case 32:
        return spelling->is_unsigned ? 10 : 11;
    default:
        return 20;
    }
}

/* MySQL 8.0.19 stopped showing widths, except of what is zero-filled and of TINYINT(1). */
static void spell_integer(struct buf *out, const struct mysql_spelling *spelling, bool widths)
{
    uint32_t width = spelling->has_length ? spelling->length : integer_width(spelling);
    bool boolean = spelling->size == 8 && width == 1 && !spelling->is_unsigned;
    if (widths || spelling->zerofill || boolean)
        buf_printf(out, "(%u)", width);
}

static void spell_parentheses(struct buf *out, const struct mysql_spelling *spelling, bool widths)
{
    switch (spelling->family) {
    case MYSQL_INT:
        spell_integer(out, spelling, widths);
        break;
    case MYSQL_YEAR:
        buf_text(out, widths ? "(4)" : "");
        break;
    case MYSQL_DECIMAL:
        buf_printf(out, "(%u,%u)", spelling->length ? spelling->length : 10, spelling->scale);
        break;
    case MYSQL_BIT:
    case MYSQL_CHAR:
    case MYSQL_BINARY:
        buf_printf(out, "(%u)", spelling->has_length ? spelling->length : 1);
        break;
    case MYSQL_VECTOR:
        buf_printf(out, "(%u)", spelling->has_length ? spelling->length : 2048);
        break;
    case MYSQL_TIME:
    case MYSQL_DATETIME:
    case MYSQL_TIMESTAMP:
        if (spelling->length > 0)
            buf_printf(out, "(%u)", spelling->length);
        break;
    case MYSQL_ENUM:
    case MYSQL_SET:
        spell_labels(out, spelling);
        break;
    default:
        if (spelling->has_scale)
            buf_printf(out, "(%u,%u)", spelling->length, spelling->scale);
        else if (spelling->has_length)
            buf_printf(out, "(%u)", spelling->length);
    }
}

static void buf_cleanup(struct buf *buf) { buf_done(buf); }

struct bytes mysql_type_spell(const struct mysql_spelling *spelling, bool mariadb,
                              uint32_t server_version, struct arena *arena)
{
    bool widths = mariadb || (server_version > 0 && server_version < 80019);
    CLEANUP(buf_cleanup) struct buf out;
    buf_init(&out, SPELLING_MAX);
    if (!widths && text_is(bytes_from(spelling->base), "geometrycollection"))
        buf_text(&out, "geomcollection");
    else
        buf_text(&out, spelling->base);
    spell_parentheses(&out, spelling, widths);
    if (spelling->is_unsigned)
        buf_text(&out, " unsigned");
    if (spelling->zerofill)
        buf_text(&out, " zerofill");
    if (spelling->compressed)
        buf_text(&out, " /*M!100301 COMPRESSED*/");
    return arena_copy(arena, buf_view(&out));
}

bool mysql_type_parse(struct bytes text, struct bytes charset, bool mariadb, struct arena *arena,
                      struct type *out)
{
    struct lexer lexer = lexer_of(text, arena);
    lexer.mariadb = mariadb;
    lexer_start(&lexer);
    struct mysql_spelling spelling;
    if (!mysql_type_take(&lexer, &spelling) || lexer.token.kind != TOKEN_END)
        return false;
    if (mariadb && spelling.family == MYSQL_JSON)
        mysql_type_alias_json(&spelling);
    if (!spelling.charset.data)
        spelling.charset = charset;
    mysql_type_settle(&spelling, spelling.charset);
    return mysql_type_canonical(&spelling, arena, out);
}
