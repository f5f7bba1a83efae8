/* SPDX-License-Identifier: ISC */
/*
 * What examples/keyval keeps, and its commands where memory runs out.
 */
#include "command.h"
#include "keyval_memory.h"
#include "memory.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/*
 * In loops of many steps what is wrong is counted, and the sum asserted: libcheck is slow with
 * thousands of assertions.
 */

static void seed_tables(void)
{
	static const uint64_t seed[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

	table_seed(seed);
}

/* Tables */

static void add_number(struct table *t, unsigned n)
{
	char name[16];
	int len = snprintf(name, sizeof(name), "%u", n);
	struct node *node = node_new(0, name, (size_t) len, table_hash(name, (size_t) len));

	if (!node)
		ck_abort();
	table_add(t, node);
}

static struct node *find_number(const struct table *t, unsigned n)
{
	char name[16];
	int len = snprintf(name, sizeof(name), "%u", n);

	return table_find(t, name, (size_t) len, table_hash(name, (size_t) len));
}

static void remove_number(struct table *t, unsigned n)
{
	struct node *node = find_number(t, n);

	if (!node)
		ck_abort();
	table_remove(t, node);
	mem_free(node);
}

static size_t longest_chain(const struct table *t)
{
	size_t longest = 0;

	for (size_t i = 0; i < t->n; i++) {
		size_t length = 0;

		for (const struct node *node = t->buckets[i]; node; node = node->next)
			length++;
		longest = length > longest ? length : longest;
	}
	return longest;
}

START_TEST(a_table_grows_and_shrinks_by_single_buckets_and_loses_nothing)
{
	enum { N = 20000 };
	size_t before, seen = 0, wrong = 0;
	struct table t;

	seed_tables();
	ck_assert_int_eq(table_init(&t), 0);
	for (unsigned i = 0; i < N; i++) {
		before = t.n;
		add_number(&t, i);
		wrong += t.n > before + 1 || t.n < t.count;
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(t.count, N);
	ck_assert_uint_lt(longest_chain(&t), 20);
	for (unsigned i = 0; i < N; i++)
		wrong += !find_number(&t, i);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_ptr_null(find_number(&t, N));
	for (struct node *node = table_first(&t); node; node = table_next(&t, node))
		seen++;
	ck_assert_uint_eq(seen, N);

	for (unsigned i = 0; i < N; i += 2)
		remove_number(&t, i);
	for (unsigned i = 0; i < N; i++)
		wrong += (find_number(&t, i) != NULL) != i % 2;
	ck_assert_uint_eq(wrong, 0);
	for (unsigned i = N - 1; i < N; i -= 2) {
		wrong += !find_number(&t, 1);
		before = t.n;
		remove_number(&t, i);
		wrong += t.n + 4 < before || (t.n > 4 && t.n > 4 * t.count);
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(t.count, 0);
	ck_assert_uint_eq(t.n, 4);
	table_fini(&t);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

START_TEST(a_table_that_cannot_grow_still_finds_everything)
{
	struct node *nodes[1000];
	size_t wrong = 0;
	struct table t;

	seed_tables();
	ck_assert_int_eq(table_init(&t), 0);
	for (unsigned i = 0; i < 1000; i++) {
		char name[16];
		int len = snprintf(name, sizeof(name), "%u", i);

		nodes[i] = node_new(0, name, (size_t) len, table_hash(name, (size_t) len));
		if (!nodes[i])
			ck_abort();
	}
	memory_ends_after(0);
	for (unsigned i = 0; i < 1000; i++)
		table_add(&t, nodes[i]);
	ck_assert(memory_failed());
	for (unsigned i = 0; i < 1000; i++)
		wrong += find_number(&t, i) != nodes[i];
	ck_assert_uint_eq(wrong, 0);
	memory_is_back();
	/* It catches up, a bucket with each key. */
	for (unsigned i = 1000; i < 3000; i++)
		add_number(&t, i);
	ck_assert_uint_gt(t.n, 1500);
	for (unsigned i = 0; i < 3000; i++)
		remove_number(&t, i);
	table_fini(&t);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

START_TEST(any_member_may_be_the_random_one)
{
	struct store s;
	struct table t;
	unsigned seen[50] = {0};

	seed_tables();
	ck_assert_int_eq(store_init(&s, 1), 0);
	ck_assert_int_eq(table_init(&t), 0);
	for (unsigned i = 0; i < 50; i++)
		add_number(&t, i);
	for (int i = 0; i < 5000; i++) {
		const struct node *node = table_any(&t, store_random(&s));
		char name[16] = "";

		memcpy(name, node_key(node), node->len);
		seen[atoi(name)]++;
	}
	for (unsigned i = 0; i < 50; i++) {
		ck_assert_uint_gt(seen[i], 0);
		remove_number(&t, i);
	}
	table_fini(&t);
	store_fini(&s);
}
END_TEST

/* Lists and blobs */

START_TEST(a_list_holds_what_was_pushed_whatever_the_order)
{
	enum { STEPS = 20000 };
	static unsigned model[2 * STEPS];
	size_t head = STEPS, tail = STEPS, wrong = 0; /* of the model */
	struct list list = {0};
	unsigned seed = 7;

	for (unsigned step = 0; step < STEPS; step++) {
		enum list_end end = LIST_HEAD;
		struct blob *blob;

		seed = seed * 1103515245 + 12345;
		if (seed >> 16 & 1)
			end = LIST_TAIL;
		if (step % 4000 < 2400) {
			blob = blob_new((const char *) &step, sizeof(step));
			wrong += !blob || list_reserve(&list, 1) < 0;
			list_push(&list, end, blob);
			model[end == LIST_HEAD ? --head : tail++] = step;
		} else if (list.count > 0) {
			blob = list_pop(&list, end);
			wrong += memcmp(blob->data, &model[end == LIST_HEAD ? head++ : --tail],
					sizeof(step)) != 0;
			blob_drop(blob);
		}
		wrong += list.count != tail - head;
		for (size_t i = 0; i < list.count; i += 97)
			wrong += memcmp(list_at(&list, i)->data, &model[head + i], sizeof(step)) !=
				 0;
	}
	ck_assert_uint_eq(wrong, 0);
	list_fini(&list);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

START_TEST(a_list_gives_memory_back_as_it_gets_short)
{
	struct list list = {0};

	ck_assert_int_eq(list_reserve(&list, 10000), 0);
	for (int i = 0; i < 10000; i++)
		list_push(&list, LIST_TAIL, blob_new("x", 1));
	while (list.count > 3)
		blob_drop(list_pop(&list, LIST_HEAD));
	ck_assert_uint_le(list.size, 32);
	list_fini(&list);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

START_TEST(a_blob_with_other_owners_is_not_changed)
{
	struct blob *mine = blob_new("abc", 3), *other;

	ck_assert_ptr_nonnull(mine);
	other = blob_ref(mine);
	ck_assert_int_eq(blob_append(&mine, "def", 3), 0);
	ck_assert_int_eq(memcmp(other->data, "abc", 3), 0);
	ck_assert_uint_eq(other->len, 3);
	ck_assert_int_eq(memcmp(mine->data, "abcdef", 6), 0);
	blob_drop(other);

	other = blob_ref(mine);
	ck_assert_int_eq(blob_set(&mine, "xyz", 3), 0);
	ck_assert_int_eq(memcmp(other->data, "abcdef", 6), 0);
	ck_assert_int_eq(memcmp(mine->data, "xyz", 3), 0);

	memory_ends_after(0);
	ck_assert_int_lt(blob_append(&other, "0123456789abcdefghijklmnopqrstuvwxyz", 36), 0);
	ck_assert_int_eq(memcmp(other->data, "abcdef", 6), 0);
	memory_is_back();
	blob_drop(other);
	blob_drop(mine);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

/* Expiry */

static void add_expiring(struct store *s, unsigned n, int64_t expires_ms)
{
	char name[16];
	int len = snprintf(name, sizeof(name), "%u", n);
	struct key *key =
		store_add(s, name, (size_t) len, table_hash(name, (size_t) len), KIND_STRING);

	if (!key)
		ck_abort();
	store_set_string(key, blob_new("v", 1));
	store_expire(s, key, expires_ms);
}

START_TEST(an_expired_key_is_gone_when_somebody_asks_for_it)
{
	struct store s;

	seed_tables();
	ck_assert_int_eq(store_init(&s, 1), 0);
	s.now_ms = 1000;
	add_expiring(&s, 1, 1500);
	s.now_ms = 1499;
	ck_assert_ptr_nonnull(store_find(&s, "1", 1, table_hash("1", 1)));
	s.now_ms = 1500;
	ck_assert_ptr_null(store_find(&s, "1", 1, table_hash("1", 1)));
	ck_assert_uint_eq(s.keys.count, 0);
	ck_assert_uint_eq(s.expiring, 0);
	ck_assert_uint_eq(s.n_expired, 1);
	store_fini(&s);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

START_TEST(the_sweep_removes_what_has_expired_and_nothing_else)
{
	enum { N = 10000 };
	struct store s;
	size_t removed = 0, rounds = 0, wrong = 0;

	seed_tables();
	ck_assert_int_eq(store_init(&s, 1), 0);
	s.now_ms = 1000;
	for (unsigned i = 0; i < N; i++)
		add_expiring(&s, i, i % 3 == 0 ? 0 : i % 3 == 1 ? 2000 : 3000);
	ck_assert_uint_eq(store_sweep(&s, 2 * N), 0);
	s.now_ms = 2000;
	while (removed < N / 3 && rounds++ < 3 * N / 100)
		removed += store_sweep(&s, 100);
	ck_assert_uint_eq(removed, N / 3);
	s.now_ms = 3000;
	for (rounds = 0; s.expiring > 0 && rounds < 3 * N / 100; rounds++)
		removed += store_sweep(&s, 100);
	ck_assert_uint_eq(s.expiring, 0);
	ck_assert_uint_eq(removed, N - s.keys.count);
	ck_assert_uint_eq(s.n_expired, removed);
	ck_assert_uint_eq(s.keys.count, (N + 2) / 3);
	for (unsigned i = 0; i < N; i += 3)
		wrong += !find_number(&s.keys, i);
	ck_assert_uint_eq(wrong, 0);
	store_fini(&s);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

START_TEST(one_sweep_looks_at_so_many_buckets_and_no_more)
{
	struct store s;

	seed_tables();
	ck_assert_int_eq(store_init(&s, 1), 0);
	s.now_ms = 1;
	for (unsigned i = 0; i < 4096; i++)
		add_expiring(&s, i, 2);
	s.now_ms = 2;
	ck_assert_uint_gt(store_sweep(&s, 64), 0);
	ck_assert_uint_eq(s.cursor, 64);
	ck_assert_uint_gt(s.keys.count, 3000);
	store_remove_all(&s);
	ck_assert_uint_eq(s.keys.count + s.expiring, 0);
	store_fini(&s);
	ck_assert_uint_eq(memory_blocks(), 0);
}
END_TEST

/* Commands */

struct server {
	struct service service;
	struct lane lane;
	struct session session;
	struct resp in;
	struct reply out;
};

static void begin(struct server *v)
{
	memset(v, 0, sizeof(*v));
	seed_tables();
	ck_assert_int_eq(shards_init(&v->service.shards, false, 1), 0);
	ck_assert_int_eq(resp_init(&v->in), 0);
	ck_assert_int_eq(reply_init(&v->out), 0);
	v->lane.now_ms = 1000;
	v->service.lanes = &v->lane;
	v->service.n_lanes = 1;
	v->session = (struct session){.service = &v->service, .lane = &v->lane, .reply = &v->out};
}

static void end(struct server *v)
{
	if (v->session.name)
		blob_drop(v->session.name);
	resp_fini(&v->in);
	reply_fini(&v->out);
	shards_fini(&v->service.shards);
	ck_assert_uint_eq(memory_blocks(), 0);
}

/* The answer to a line, up to the next one. */
static const char *ask(struct server *v, const char *line)
{
	static char answer[256];
	struct iovec iov[REPLY_PART];
	size_t next = 0, len;
	char *space;

	ck_assert_int_eq(resp_space(&v->in, &space, &len), 0);
	strcpy(space, line);
	strcat(space, "\n");
	resp_arrived(&v->in, strlen(space));
	ck_assert_int_eq(resp_next(&v->in), 1);
	command_run(&v->session, &v->in);
	ck_assert_uint_gt(reply_part(&v->out, &next, iov), 0);
	len = iov[0].iov_len < sizeof(answer) ? iov[0].iov_len : sizeof(answer) - 1;
	memcpy(answer, iov[0].iov_base, len);
	answer[len] = '\0';
	reply_undo(&v->out, (struct reply_mark){0});
	return answer;
}

static const char *const growing[] = {
	"SET s 1",
	"SET s 22222222222222222222222222222222222222",
	"APPEND s 333333333333333333333333333333333333333333333333333333333333333333",
	"APPEND new abc",
	"INCR n",
	"DECRBY n 100",
	"MSET a 1 b 2 s 3",
	"LPUSH l 1 2 3 4 5 6",
	"RPUSH l 7 8 9",
	"SADD set a b c d e f",
	"HSET h f 1 g 2 i 3",
	"HSET h f 44444444444444444444444444444",
	"CLIENT SETNAME somebody",
};

/* Whatever is missing: the answer is an error, and nothing that the store must not hold stays. */
START_TEST(a_command_without_memory_says_so_and_leaves_the_store_whole)
{
	const char *line = growing[_i];
	struct server v;
	size_t tries;

	for (tries = 0;; tries++) {
		const char *answer;

		ck_assert_uint_lt(tries, 100);
		begin(&v);
		for (int i = 0; i < _i; i++)
			ask(&v, growing[i]);
		memory_ends_after(tries);
		answer = ask(&v, line);
		memory_is_back();
		if (!memory_failed())
			break;
		/* Growing a table is the one thing that may fail unnoticed. */
		if (answer[0] == '-')
			ck_assert_str_eq(answer, "-OOM not enough memory for this command\r\n");
		for (struct node *n = table_first(&v.service.shards.shard[0].store.keys); n;
		     n = table_next(&v.service.shards.shard[0].store.keys, n)) {
			const struct key *key = key_of(n);

			ck_assert(key->kind != KIND_STRING || key->string);
			ck_assert(key->kind != KIND_LIST || key->list->count > 0);
			ck_assert(key->kind == KIND_STRING || key->kind == KIND_LIST ||
				  key->set->count > 0);
		}
		answer = ask(&v, line);
		ck_assert_int_ne(answer[0], '-');
		end(&v);
	}
	ck_assert_uint_gt(tries, 0);
	end(&v);
}
END_TEST

START_TEST(a_long_answer_without_memory_becomes_an_error)
{
	struct server v;

	begin(&v);
	for (int i = 0; i < 300; i++)
		ask(&v, "RPUSH l 0123456789012345678901234567890123456789012345678901234567890123");
	memory_ends_after(0);
	ck_assert_str_eq(ask(&v, "LRANGE l 0 -1"), "-OOM not enough memory for this command\r\n");
	memory_is_back();
	ck_assert_int_eq(memcmp(ask(&v, "LRANGE l 0 -1"), "*300\r\n", 6), 0);
	end(&v);
}
END_TEST

static const char *const pops[][3] = {
	{"RPUSH c", "LPOP c 300", "LLEN c"},
	{"RPUSH c", "RPOP c 300", "LLEN c"},
	{"SADD c", "SPOP c 300", "SCARD c"},
};

START_TEST(a_pop_without_memory_for_its_answer_takes_nothing)
{
	const char *add = pops[_i][0], *pop = pops[_i][1], *count = pops[_i][2];
	struct server v;
	char line[128];

	begin(&v);
	for (int i = 0; i < 300; i++) {
		snprintf(line, sizeof(line), "%s %03d%061d", add, i, 0);
		ask(&v, line);
	}
	memory_ends_after(0);
	ck_assert_str_eq(ask(&v, pop), "-OOM not enough memory for this command\r\n");
	memory_is_back();
	ck_assert_str_eq(ask(&v, count), ":300\r\n");
	ck_assert_int_eq(memcmp(ask(&v, pop), "*300\r\n", 6), 0);
	ck_assert_str_eq(ask(&v, count), ":0\r\n");
	end(&v);
}
END_TEST

START_TEST(beyond_the_limit_commands_that_may_grow_are_refused)
{
	struct server v;

	begin(&v);
	ck_assert_str_eq(ask(&v, "SET a 1"), "+OK\r\n");
	mem_set_limit(1);
	for (size_t i = 0; i + 1 < sizeof(growing) / sizeof(growing[0]); i++)
		ck_assert_str_eq(ask(&v, growing[i]),
				 "-OOM not enough memory for this command\r\n");
	ck_assert_str_eq(ask(&v, "GET a"), "$1\r\n1\r\n");
	ck_assert_str_eq(ask(&v, "EXPIRE a 100"), ":1\r\n");
	ck_assert_str_eq(ask(&v, "DEL a"), ":1\r\n");
	mem_set_limit(0);
	ck_assert_str_eq(ask(&v, "SET a 1"), "+OK\r\n");
	end(&v);
}
END_TEST

START_TEST(every_command_is_found_by_its_name_and_no_other)
{
	struct server v;

	begin(&v);
	for (size_t i = 0; i < n_commands; i++) {
		char name[32];
		size_t len = strlen(commands[i].name);

		strcpy(name, commands[i].name);
		name[0] &= ~0x20;
		ck_assert_ptr_eq(command_find(&(struct arg){.data = name, .len = len}),
				 &commands[i]);
		name[len] = 'x';
		ck_assert_ptr_null(command_find(&(struct arg){.data = name, .len = len + 1}));
	}
	ck_assert_ptr_null(command_find(&(struct arg){.data = "", .len = 0}));
	ck_assert_ptr_null(command_find(&(struct arg){.data = "g", .len = 1}));
	end(&v);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyval_store");
	TCase *tcase = tcase_create("keyval_store");
	SRunner *runner = srunner_create(suite);
	int failed;

	commands_init();
	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, a_table_grows_and_shrinks_by_single_buckets_and_loses_nothing);
	tcase_add_test(tcase, a_table_that_cannot_grow_still_finds_everything);
	tcase_add_test(tcase, any_member_may_be_the_random_one);
	tcase_add_test(tcase, a_list_holds_what_was_pushed_whatever_the_order);
	tcase_add_test(tcase, a_list_gives_memory_back_as_it_gets_short);
	tcase_add_test(tcase, a_blob_with_other_owners_is_not_changed);
	tcase_add_test(tcase, an_expired_key_is_gone_when_somebody_asks_for_it);
	tcase_add_test(tcase, the_sweep_removes_what_has_expired_and_nothing_else);
	tcase_add_test(tcase, one_sweep_looks_at_so_many_buckets_and_no_more);
	tcase_add_loop_test(tcase, a_command_without_memory_says_so_and_leaves_the_store_whole, 0,
			    sizeof(growing) / sizeof(growing[0]));
	tcase_add_test(tcase, a_long_answer_without_memory_becomes_an_error);
	tcase_add_loop_test(tcase, a_pop_without_memory_for_its_answer_takes_nothing, 0, 3);
	tcase_add_test(tcase, beyond_the_limit_commands_that_may_grow_are_refused);
	tcase_add_test(tcase, every_command_is_found_by_its_name_and_no_other);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
