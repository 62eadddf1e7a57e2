/* SPDX-License-Identifier: Apache-2.0
 *
 * Each statement ran on the server named (MySQL 9.7, MariaDB 10.11 or 11.8), and the table expected
 * is what its information_schema then showed: names, COLUMN_TYPE, character sets, collations,
 * nullability, the key by our rule. Collations that the text does not name and that are the
 * server's choice for a character set are left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/assert.h"
#include "tests/unit/schema/ddl_servers.h"
#include "tests/unit/schema/ddl_text.h"

static const struct {
    enum ddl_server server;
    const char *sql, *want;
} cases[] = {
    { MYSQL,
      "create table t (a real, b int4, c bool, d serial, f dec, g fixed(5), h float(24), "
      "i float(25), j float(7,3), k double precision, l numeric(10,2) unsigned zerofill, "
      "m national varchar(10), n nchar(3), o character varying(5), p char byte, q "
      "long, r long varchar, s long varbinary, t text(10), u text(300), v blob(70000), "
      "w text(100) charset utf8mb4, x varchar(5) binary, y char(5) ascii, z char(5) "
      "unicode, aa bit, bb year, cc datetime(3), dd timestamp(6) null, ee geometry, "
      "ff point, gg json, hh binary, ii varbinary(5), jj int(10) unsigned zerofill, "
      "kk tinyint(1), ll middleint, mm int8, nn varcharacter(4), oo varchar(9) character "
      "set binary)",
      "a:double?, b:int?, c:tinyint(1)?, d:bigint unsigned k1+, f:decimal(10,0)?, "
      "g:decimal(5,0)?, h:float?, i:double?, j:float(7,3)?, k:double?, l:decimal(10,2) "
      "unsigned zerofill?, m:varchar(10)/utf8mb3?, n:char(3)/utf8mb3?, o:varchar(5)/utf8mb4/u"
      "tf8mb4_0900_ai_ci?, p:binary(1)?, q:mediumtext/utf8mb4/utf8mb4_0900_ai_ci?, "
      "r:mediumtext/utf8mb4/utf8mb4_0900_ai_ci?, s:mediumblob?, t:tinytext/utf8mb4/utf8mb4_09"
      "00_ai_ci?, u:text/utf8mb4/utf8mb4_0900_ai_ci?, v:mediumblob?, w:text/utf8mb4?, "
      "x:varchar(5)/utf8mb4/utf8mb4_bin?, y:char(5)/latin1?, z:char(5)/ucs2?, aa:bit(1)?, "
      "bb:year?, cc:datetime(3)?, dd:timestamp(6)?, ee:geometry?, ff:point?, gg:json?, "
      "hh:binary(1)?, ii:varbinary(5)?, jj:int(10) unsigned zerofill?, kk:tinyint(1)?, "
      "ll:mediumint?, mm:bigint?, nn:varchar(4)/utf8mb4/utf8mb4_0900_ai_ci?, oo:varbinary(9)?"
      "; key d; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (pp enum('x') character set latin1, qq text character set binary, "
      "rr text byte, tt nvarchar(3), uu geometrycollection, vv text(64), ww tinyblob, "
      "xx bigint unsigned, yy int(11) signed, zz int2, ab int1, ac int3, ad float4, "
      "ae float8, af char(0), ag decimal(10,0), ah set('a') charset latin1, ai time(0), "
      "aj year(4), ak tinyint(1) unsigned, al boolean)",
      "pp:enum('x')/latin1?, qq:blob?, rr:blob?, tt:varchar(3)/utf8mb3?, uu:geomcollection?, "
      "vv:text/utf8mb4/utf8mb4_0900_ai_ci?, ww:tinyblob?, xx:bigint unsigned?, yy:int?, "
      "zz:smallint?, ab:tinyint?, ac:mediumint?, ad:float?, ae:double?, af:char(0)/utf8mb4/ut"
      "f8mb4_0900_ai_ci?, ag:decimal(10,0)?, ah:set('a')/latin1?, ai:time?, aj:year?, "
      "ak:tinyint unsigned?, al:tinyint(1)?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (id int primary key)",
      "id:int k1; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (id int auto_increment, primary key(id))",
      "id:int k1+; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (id int auto_increment unique, b int)",
      "id:int k1+, b:int?; key id; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (id int key, b int unique key)",
      "id:int k1, b:int?; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b int not null, unique key zz (a), unique "
      "key aa (b))",
      "a:int, b:int k1; key aa; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b int not null, unique key aa (a,b), unique "
      "key zz (b))",
      "a:int, b:int k1; key zz; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (a int, b int not null, unique (a), unique (b))",
      "a:int?, b:int k1; key b; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (a varchar(10) not null, unique (a(5)))",
      "a:varchar(10)/utf8mb4/utf8mb4_0900_ai_ci; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (a varchar(10) not null, unique (a(10)))",
      "a:varchar(10)/utf8mb4/utf8mb4_0900_ai_ci k1; key a; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null, b int not null, unique (a), unique (a,b), "
      "key (a), unique a_5 (b))",
      "a:int k1, b:int; key a; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int not null unique, b int not null unique, constraint u1 "
      "unique (b,a), constraint u2 unique ix (a,b))",
      "a:int k1, b:int; key a; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (`primary` int not null, unique (`primary`))",
      "primary:int k1; key primary_2; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (a varchar(10), b text, c enum('x','y')) charset latin1",
      "a:varchar(10)/latin1?, b:text/latin1?, c:enum('x','y')/latin1?; latin1" },
    { MYSQL,
      "create table t (a varchar(10), b text, c enum('x','y')) default character "
      "set = latin1 collate = latin1_bin",
      "a:varchar(10)/latin1/latin1_bin?, b:text/latin1/latin1_bin?, c:enum('x','y')/latin1/la"
      "tin1_bin?; latin1 latin1_bin" },
    { MYSQL, "create table t (a varchar(10), b text) collate utf8mb3_bin",
      "a:varchar(10)/utf8mb3/utf8mb3_bin?, b:text/utf8mb3/utf8mb3_bin?; utf8mb3 utf8mb3_bin" },
    { MYSQL,
      "create table t (a varchar(10) charset gbk, b varchar(10) collate latin1_bin, "
      "c varchar(10) charset utf8mb4 collate utf8mb4_bin, d varchar(10) collate utf8mb4_bin "
      "not null) engine=InnoDB charset=latin1",
      "a:varchar(10)/gbk?, b:varchar(10)/latin1/latin1_bin?, c:varchar(10)/utf8mb4/utf8mb4_bi"
      "n?, d:varchar(10)/utf8mb4/utf8mb4_bin; latin1" },
    { MARIADB,
      "create table t (a varchar(10), b char(3), c text, d enum('a'), e tinytext, "
      "f varchar(3) charset utf8mb4) charset binary",
      "a:varbinary(10)?, b:binary(3)?, c:blob?, d:enum('a')/binary?, e:tinyblob?, "
      "f:varchar(3)/utf8mb4?; binary" },
    { MYSQL,
      "create table t (a int comment 'it''s', b int comment \"dq \\\" x\", c int "
      "not null default 5 comment 'x') comment='tab\\\\le', engine=innodb row_format=dynamic",
      "a:int?'it's', b:int?'dq \" x', c:int=5'x'; utf8mb4 utf8mb4_0900_ai_ci 'tab\\le'" },
    { MYSQL,
      "create table t (a int, b int generated always as (a+1) virtual, c int as (a*2) "
      "stored, d int as (a) not null)",
      "a:int?, b:int?v, c:int?V, d:intv; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (a int invisible, b int)",
      "a:int?i, b:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MARIADB,
      "create table t (a int not null check (a > 0), b int, constraint c1 check (b "
      "< 100), constraint check (a+b < 3), check ((a)))",
      "a:int(11), b:int(11)?; utf8mb4 utf8mb4_general_ci" },
    { MYSQL,
      "create table t (a int, p int references ref_p(id) on delete cascade, foreign "
      "key (a) references ref_p (id) on update set null on delete no action, constraint "
      "fkn foreign key ixn (p) references ref_p(id))",
      "a:int?, p:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int default 1, b varchar(10) default 'it''s', c int default "
      "-5, d decimal(5,2) default 1.50, e timestamp default current_timestamp on "
      "update current_timestamp, f datetime(6) default now(6) on update now(6), g "
      "varchar(5) default null, h bit(4) default b'101', i bit(4) default 5, j int "
      "default 0x10, k varchar(5) default x'4142', l char(36) default (uuid()), m "
      "int default (1+2), n bool default true, o varchar(9) default 'a' 'b', p date "
      "default '2020-01-01')",
      "a:int?=1, b:varchar(10)/utf8mb4/utf8mb4_0900_ai_ci?=it's, c:int?=-5, d:decimal(5,2)?=1"
      ".50, e:timestamp?=(CURRENT_TIMESTAMP), f:datetime(6)?=(CURRENT_TIMESTAMP(6)), "
      "g:varchar(5)/utf8mb4/utf8mb4_0900_ai_ci?, h:bit(4)?=b'101', i:bit(4)?=b'101', "
      "j:int?=16, k:varchar(5)/utf8mb4/utf8mb4_0900_ai_ci?=AB, l:char(36)/utf8mb4/utf8mb4_090"
      "0_ai_ci?=(uuid()), m:int?=(1+2), n:tinyint(1)?=1, o:varchar(9)/utf8mb4/utf8mb4_0900_ai"
      "_ci?=ab, p:date?=2020-01-01; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a enum('it''s','back\\\\slash','nl\\nx','q\"q','per\\%c','tail "
      " ',\"dq'x\"), b set('a','b c','\303\251'))",
      "a:enum('it''s','back\\\\slash','nl\\nx','q\"q','per\\\\%c','tail','dq''x')/utf8mb4/utf"
      "8mb4_0900_ai_ci?, b:set('a','b c','\303\251')/utf8mb4/utf8mb4_0900_ai_ci?; "
      "utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (`we``ird` int, `sp ace` int, `select` int, \345\220\215\345\255\227 "
      "int, `\303\251` varchar(3), a$b int, 1a int, _x int)",
      "we`ird:int?, sp ace:int?, select:int?, \345\220\215\345\255\227:int?, \303\251:varchar"
      "(3)/utf8mb4/utf8mb4_0900_ai_ci?, a$b:int?, 1a:int?, _x:int?; utf8mb4 utf8mb4_0900_ai_c"
      "i" },
    { MYSQL,
      "create table t (/* c1 */ a int, /*x*/b int,\tc int /*!50100 not null */ , "
      "d int /*!99999 not null */, e int /*M!100000 not null */)",
      "a:int?, b:int?, c:int, d:int?, e:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (a int primary key) partition by hash (a) partitions 4",
      "a:int k1; key PRIMARY; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b date) comment 'x' partition by range (a) (partition "
      "p0 values less than (10) comment = 'pc', partition p1 values less than maxvalue)",
      "a:int?, b:date?; utf8mb4 utf8mb4_0900_ai_ci 'x'" },
    { MYSQL, "create table if not exists t (a int)", "a:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table shop . t (a int)", "a:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a timestamp, b timestamp not null, c timestamp null default "
      "null, d timestamp(3) default '2020-01-01 00:00:00')",
      "a:timestamp?, b:timestamp, c:timestamp?, d:timestamp(3)?=2020-01-01 00:00:00; "
      "utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a varchar(10) not null default '' collate utf8mb4_bin comment "
      "'x')",
      "a:varchar(10)/utf8mb4/utf8mb4_bin='x'; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a char(3) byte, b char(5) character set utf8mb4 binary, c "
      "char(5) binary character set latin1, d varchar(3) ascii binary) charset utf8mb3",
      "a:binary(3)?, b:char(5)/utf8mb4/utf8mb4_bin?, c:char(5)/latin1/latin1_bin?, "
      "d:varchar(3)/latin1/latin1_bin?; utf8mb3" },
    { MYSQL,
      "create table t (a int, index (a), key k2 using btree (a desc), fulltext index "
      "(b), b text, unique index u using hash (a) comment 'x' key_block_size=8)",
      "a:int?, b:text/utf8mb4/utf8mb4_0900_ai_ci?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a geometry not null srid 4326, p point not null, spatial index "
      "(p))",
      "a:geometry, p:point; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (a int not null, b int, unique key ((a+b)), unique key x (a))",
      "a:int k1, b:int?; key x; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (a vector(3), b vector)",
      "a:vector(3)?, b:vector(2048)?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (a vector(3), b int)",
      "a:vector(3)?, b:int?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MARIADB, "create table t (a uuid, b inet6, c inet4)",
      "a:uuid?, b:inet6?, c:inet4?; utf8mb4 utf8mb4_general_ci" },
    { MARIADB,
      "create table t (a varchar(100) compressed, b text compressed not null, c blob "
      "compressed=zlib)",
      "a:varchar(100) /*M!100301 COMPRESSED*//utf8mb4/utf8mb4_general_ci?, b:text "
      "/*M!100301 COMPRESSED*//utf8mb4/utf8mb4_general_ci, c:blob /*M!100301 COMPRESSED*/?; "
      "utf8mb4 utf8mb4_general_ci" },
    { MARIADB,
      "create table t (a int, rs timestamp(6) generated always as row start, re timestamp(6) "
      "as row end invisible, period for system_time (rs,re)) with system versioning",
      "a:int(11)?, rs:timestamp(6)V, re:timestamp(6)iV; utf8mb4 utf8mb4_general_ci "
      "versioned" },
    { MARIADB, "create table t (a int, b int without system versioning) with system versioning",
      "a:int(11)?, b:int(11)?; utf8mb4 utf8mb4_general_ci versioned" },
    { MARIADB,
      "create table t (id int, s date, e date, period for p(s,e), primary key (id, "
      "p without overlaps))",
      "id:int(11) k1, s:date k3, e:date k2; key PRIMARY; utf8mb4 utf8mb4_general_ci" },
    { MARIADB,
      "create table t (id int, s date, e date, period for p(s,e), unique (id, p without "
      "overlaps))",
      "id:int(11)?, s:date, e:date; utf8mb4 utf8mb4_general_ci" },
    { MARIADB,
      "create table t (id int not null, s date, e date, period for p(s,e), unique "
      "(id, p without overlaps))",
      "id:int(11) k1, s:date k3, e:date k2; key id; utf8mb4 utf8mb4_general_ci" },
    { MYSQL,
      "create table t (a longtext character set utf8mb4 collate utf8mb4_bin default "
      "null check (json_valid(`a`)))",
      "a:longtext/utf8mb4/utf8mb4_bin?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MARIADB,
      "create table t (a varchar(10) collate uca1400_ai_ci, b varchar(10) charset "
      "latin1)",
      "a:varchar(10)/utf8mb4/utf8mb4_uca1400_ai_ci?, b:varchar(10)/latin1?; utf8mb4 "
      "utf8mb4_general_ci" },
    { MYSQL,
      "create table t (a int) engine=InnoDB, avg_row_length=10 max_rows 5, min_rows=1 "
      "comment='x' default charset latin1, checksum=0",
      "a:int?; latin1 'x'" },
    { MYSQL,
      "create table t (a date, date date, time time, timestamp timestamp null, text "
      "text, enum enum('a'), year year, bit bit, comment int comment 'comment')",
      "a:date?, date:date?, time:time?, timestamp:timestamp?, text:text/utf8mb4/utf8mb4_0900_"
      "ai_ci?, enum:enum('a')/utf8mb4/utf8mb4_0900_ai_ci?, year:year?, bit:bit(1)?, "
      "comment:int?'comment'; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL, "create table t (a int) comment=''", "a:int?; utf8mb4 utf8mb4_0900_ai_ci ''" },
    { MYSQL,
      "create table t (a datetime default '2020-01-01 00:00:00', b year default 2020, "
      "c set('a','b') default 'a,b', d float default 1.5, e time default '10:00:00', "
      "f timestamp default now(), g timestamp(2) default current_timestamp(2), h "
      "datetime default localtimestamp, i varchar(10) default '', j text default "
      "('x'))",
      "a:datetime?=2020-01-01 00:00:00, b:year?=2020, c:set('a','b')/utf8mb4/utf8mb4_0900_ai_"
      "ci?=a,b, d:float?=1.5, e:time?=10:00:00, f:timestamp?=(CURRENT_TIMESTAMP), "
      "g:timestamp(2)?=(CURRENT_TIMESTAMP(2)), h:datetime?=(CURRENT_TIMESTAMP), i:varchar(10)"
      "/utf8mb4/utf8mb4_0900_ai_ci?=, j:text/utf8mb4/utf8mb4_0900_ai_ci?=('x'); utf8mb4 "
      "utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (`id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,  `c1` tinyint(3) "
      "unsigned zerofill DEFAULT '007', c2 set('x','y','z') not null default 'x,y', "
      "c3 bit(8) default x'0f', c4 binary(3) default 'ab', c5 varbinary(5) default "
      "0x4142, c6 decimal, c7 year default '99', primary key (`id`) using btree, "
      "key k (c1) comment 'a,b) c') engine=InnoDB auto_increment=5 default charset=utf8mb4 "
      "collate=utf8mb4_unicode_ci comment='a (b), \"c\"'",
      "id:bigint unsigned k1+, c1:tinyint(3) unsigned zerofill?=007, c2:set('x','y','z')/utf8"
      "mb4/utf8mb4_unicode_ci=x,y, c3:bit(8)?=b'1111', c4:binary(3)?=ab, c5:varbinary(5)?=AB,"
      " c6:decimal(10,0)?, c7:year?=99; key PRIMARY; utf8mb4 utf8mb4_unicode_ci 'a "
      "(b), \"c\"'" },
    { MYSQL,
      "create table t (a nchar varying(5), b national character(3), c nchar, d national "
      "char varying(4), e nchar varchar(6), f char varying(3), g long char varying, "
      "h long varchar charset latin1, i character(2), j national varchar(3) collate "
      "utf8mb3_bin)",
      "a:varchar(5)/utf8mb3?, b:char(3)/utf8mb3?, c:char(1)/utf8mb3?, d:varchar(4)/utf8mb3?, "
      "e:varchar(6)/utf8mb3?, f:varchar(3)/utf8mb4/utf8mb4_0900_ai_ci?, g:mediumtext/utf8mb4/"
      "utf8mb4_0900_ai_ci?, h:mediumtext/latin1?, i:char(2)/utf8mb4/utf8mb4_0900_ai_ci?, "
      "j:varchar(3)/utf8mb3/utf8mb3_bin?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int unsigned, b int signed, c bigint(5) unsigned, d double(10,3) "
      "unsigned, e float unsigned, f decimal(5) unsigned, g tinyint(4), h tinyint(1) "
      "zerofill, i int(3) zerofill)",
      "a:int unsigned?, b:int?, c:bigint unsigned?, d:double(10,3) unsigned?, e:float "
      "unsigned?, f:decimal(5,0) unsigned?, g:tinyint?, h:tinyint(1) unsigned zerofill?, "
      "i:int(3) unsigned zerofill?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MARIADB,
      "create table t (a tinytext charset utf8mb4, b blob(10), c blob(300), d blob(17000000),"
      " e text(5000), f text(20000), g text(5000000), h text(0))",
      "a:tinytext/utf8mb4?, b:tinyblob?, c:blob?, d:longblob?, e:text/utf8mb4/utf8mb4_general"
      "_ci?, f:mediumtext/utf8mb4/utf8mb4_general_ci?, g:longtext/utf8mb4/utf8mb4_general_ci?"
      ", h:text/utf8mb4/utf8mb4_general_ci?; utf8mb4 utf8mb4_general_ci" },
    { MYSQL,
      "create table t (x point, y linestring, z polygon, u multipoint, v multilinestring, "
      "w multipolygon, g geometry)",
      "x:point?, y:linestring?, z:polygon?, u:multipoint?, v:multilinestring?, w:multipolygon"
      "?, g:geometry?; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int default (abs(-5)) comment 'c', b varchar(10) default "
      "('a,b)'), c int default -1 not null, d int default +1, e double default 1e3, "
      "f double default -.5)",
      "a:int?=(abs(-5))'c', b:varchar(10)/utf8mb4/utf8mb4_0900_ai_ci?=('a,b)'), c:int=-1, "
      "d:int?=1, e:double?=1e3, f:double?=-.5; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a enum('a','b') default 'a', b enum('x,y','(z)') not null, "
      "c enum ('1') collate latin1_bin, d set ( 'q' , 'r' ) charset ascii)",
      "a:enum('a','b')/utf8mb4/utf8mb4_0900_ai_ci?=a, b:enum('x,y','(z)')/utf8mb4/utf8mb4_090"
      "0_ai_ci, c:enum('1')/latin1/latin1_bin?, d:set('q','r')/ascii?; utf8mb4 utf8mb4_0900_a"
      "i_ci" },
    { MYSQL,
      "CREATE TABLE IF NOT EXISTS `shop`.`t`(`a` INT(11)NOT NULL,`b` VARCHAR(255)CHARACTE"
      "R SET latin1 COLLATE latin1_bin NULL DEFAULT NULL,UNIQUE KEY`u`(`a`))ENGINE=InnoDB",
      "a:int k1, b:varchar(255)/latin1/latin1_bin?; key u; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a timestamp not null default '2000-01-01', b datetime(0), "
      "c time(6) default '00:00:01', d date default (curdate()))",
      "a:timestamp=2000-01-01, b:datetime?, c:time(6)?=00:00:01, d:date?=(curdate()); "
      "utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int as (json_extract('{\"a\":[1,2)]}', '$.a')) stored "
      "comment 'z', c int generated always as (if(a>1,2,3)) virtual not null)",
      "a:int?, b:int?V'z', c:intv; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, unique u (a), b int not null, constraint `x y` unique "
      "(b), unique index `c` (b,a))",
      "a:int?, b:int k1; key x y; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, key (a), unique (a), key a_3 (a), b int not null unique, "
      "c int unique)",
      "a:int?, b:int k1, c:int?; key b; utf8mb4 utf8mb4_0900_ai_ci" },
    { MYSQL,
      "create table t (a int, b int not null, c int not null, unique B_x (b), unique "
      "a_x (c))",
      "a:int?, b:int, c:int k1; key a_x; utf8mb4 utf8mb4_0900_ai_ci" },
};

static void test_create(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        print_message("%s\n", cases[i].sql);
        struct arena arena = { 0 };
        const struct ddl_statement *statement = ddl_one(cases[i].sql, cases[i].server, &arena);
        assert_int_equal(statement->kind, DDL_CREATE_TABLE);
        assert_non_null(statement->created);
        assert_true(bytes_is(statement->created->database, "shop"));
        assert_true(bytes_is(statement->created->name, "t"));
        assert_string_equal(table_text(statement->created, &arena).data, cases[i].want);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_create) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
