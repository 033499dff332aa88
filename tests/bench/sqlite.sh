#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# sqlite.sh ROWS: what OSDB's information retrieval does: a table with an index is filled, then asked for
# single rows and for aggregates.
set -u

rm -f "$TMP/bench.db"
sqlite3 "$TMP/bench.db" << SQL
create table t(a integer primary key, b integer, c text);
begin;
with recursive n(i) as (select 1 union all select i + 1 from n where i < $1)
	insert into t select i, i * 7919 % 20011, 'row ' || i from n;
create index t_b on t(b);
commit;
select count(*), sum(b) from t;
with recursive n(i) as (select 1 union all select i + 1 from n where i < $1)
	select sum(length((select c from t where b = n.i * 7919 % 20011))) from n;
select b % 10, count(*) from t group by 1 order by 1;
SQL
