/* SPDX-License-Identifier: ISC */
/*
 * The shards of examples/keyval: who locks what in which order, and commands of several keys on
 * several shards.
 */
#include "command.h"
#include "keyval_memory.h"

#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static struct shards shards;

static void begin(bool shared)
{
	static const uint64_t seed[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

	table_seed(seed);
	ck_assert_int_eq(shards_init(&shards, shared, 1), 0);
}

static void end(void)
{
	shards_fini(&shards);
	ck_assert_uint_eq(memory_blocks(), 0);
}

static bool is_locked(unsigned i)
{
	if (pthread_mutex_trylock(&shards.shard[i].lock.mutex) != 0)
		return true;
	pthread_mutex_unlock(&shards.shard[i].lock.mutex);
	return false;
}

static shard_set locked(void)
{
	shard_set set = 0;

	for (unsigned i = 0; i < shards.n; i++)
		set |= (shard_set) is_locked(i) << i;
	return set;
}

/* Locks */

START_TEST(all_of_a_set_are_locked_and_no_others)
{
	const shard_set set = 1u << 0 | 1u << 5 | 1u << 31;

	begin(true);
	shards_lock(&shards, set, 1);
	ck_assert_uint_eq(locked(), set);
	shards_unlock(&shards, set);
	ck_assert_uint_eq(locked(), 0);
	shards_lock(&shards, shards_all(&shards), 1);
	ck_assert_uint_eq(locked(), ~(shard_set) 0);
	shards_unlock(&shards, shards_all(&shards));
	ck_assert_uint_eq(locked(), 0);
	end();
}
END_TEST

START_TEST(one_domain_has_one_shard_and_takes_no_lock)
{
	begin(false);
	ck_assert_uint_eq(shards.n, 1);
	ck_assert_uint_eq(shards_all(&shards), 1);
	ck_assert_uint_eq(shard_of(&shards, UINT32_MAX), 0);
	shards_lock(&shards, 1, 1);
	ck_assert_uint_eq(locked(), 0);
	shards_unlock(&shards, 1);
	end();
}
END_TEST

static void *lock_three(void *arg)
{
	const shard_set set = 1u << 2 | 1u << 7 | 1u << 9;

	shards_lock(&shards, set, 1);
	shards_unlock(&shards, set);
	return arg;
}

/* Who waits for one has those before it and none behind it. */
START_TEST(locks_are_taken_in_ascending_order)
{
	pthread_t thread;

	begin(true);
	shards_lock(&shards, 1u << 7, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, lock_three, NULL), 0);
	while (!is_locked(2))
		sched_yield();
	for (int i = 0; i < 100; i++) {
		ck_assert_uint_eq(locked(), 1u << 2 | 1u << 7);
		sched_yield();
	}
	shards_unlock(&shards, 1u << 7);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(locked(), 0);
	end();
}
END_TEST

enum { THREADS = 3, TURNS = 20000 };

static uint64_t turns[SHARDS_MAX]; /* each guarded by its shard's lock */

static void *lock_at_random(void *arg)
{
	uint64_t random = (uintptr_t) arg;

	for (int i = 0; i < TURNS; i++) {
		shard_set set;

		random = random * 6364136223846793005 + 1442695040888963407;
		set = 1u << (random >> 59) | 1u << (random >> 52 & 31) | 1;
		shards_lock(&shards, set, i);
		for (unsigned j = 0; j < SHARDS_MAX; j++)
			turns[j] += set >> j & 1;
		shards_unlock(&shards, set);
	}
	return NULL;
}

START_TEST(overlapping_sets_exclude_each_other_and_do_not_wait_for_ever)
{
	pthread_t threads[THREADS];

	begin(true);
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, lock_at_random, (void *) (i + 1)), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(turns[0], THREADS * TURNS);
	end();
}
END_TEST

START_TEST(a_clock_that_is_behind_does_not_turn_the_shards_back)
{
	begin(true);
	shards_lock(&shards, 1u << 3, 100);
	shards_unlock(&shards, 1u << 3);
	shards_lock(&shards, 1u << 3 | 1u << 4, 90);
	ck_assert_int_eq(shards.shard[3].store.now_ms, 100);
	ck_assert_int_eq(shards.shard[4].store.now_ms, 90);
	shards_unlock(&shards, 1u << 3 | 1u << 4);
	end();
}
END_TEST

START_TEST(without_memory_for_all_shards_there_is_none)
{
	size_t tries;

	for (tries = 0;; tries++) {
		int rc;

		memory_ends_after(tries);
		rc = shards_init(&shards, true, 1);
		memory_is_back();
		if (rc == 0)
			break;
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_uint_eq(memory_blocks(), 0);
	}
	ck_assert_uint_eq(tries, SHARDS_MAX);
	end();
}
END_TEST

/* Commands */

static struct service service;
static struct lane lane;

/* The answer to a line. */
static const char *ask(const char *line)
{
	static char answer[512];
	struct session session = {.service = &service, .lane = &lane};
	struct reply_mark start = {0};
	struct reply out;
	struct resp in;
	char *space;
	size_t len;

	ck_assert_int_eq(resp_init(&in), 0);
	ck_assert_int_eq(reply_init(&out), 0);
	session.reply = &out;
	ck_assert_int_eq(resp_space(&in, &space, &len), 0);
	snprintf(space, len, "%s\n", line);
	resp_arrived(&in, strlen(space));
	ck_assert_int_eq(resp_next(&in), 1);
	command_run(&session, &in);
	ck_assert_uint_lt(out.len, sizeof(answer));
	memcpy(answer, out.text, out.len);
	answer[out.len] = '\0';
	reply_undo(&out, start);
	reply_fini(&out);
	resp_fini(&in);
	return answer;
}

static void begin_service(void)
{
	static const uint64_t seed[2] = {1, 2};

	table_seed(seed);
	memset(&service, 0, sizeof(service));
	ck_assert_int_eq(shards_init(&service.shards, true, 1), 0);
	lane = (struct lane){.now_ms = 1000};
	service.lanes = &lane;
	service.n_lanes = 1;
}

static void end_service(void)
{
	for (unsigned i = 0; i < service.shards.n; i++) {
		ck_assert_int_eq(pthread_mutex_trylock(&service.shards.shard[i].lock.mutex), 0);
		pthread_mutex_unlock(&service.shards.shard[i].lock.mutex);
	}
	shards_fini(&service.shards);
	ck_assert_uint_eq(memory_blocks(), 0);
}

START_TEST(commands_of_several_keys_find_each_in_its_shard)
{
	unsigned used = 0;

	begin_service();
	ck_assert_str_eq(ask("MSET a 1 b 2 c 3 d 4 e 5 f 6 g 7"), "+OK\r\n");
	for (unsigned i = 0; i < service.shards.n; i++)
		used += service.shards.shard[i].store.keys.count > 0;
	ck_assert_uint_gt(used, 3);
	ck_assert_str_eq(ask("MGET a g a"), "*3\r\n$1\r\n1\r\n$1\r\n7\r\n$1\r\n1\r\n");
	ck_assert_str_eq(ask("EXISTS a b c d a x"), ":5\r\n");
	ck_assert_str_eq(ask("DBSIZE"), ":7\r\n");
	ck_assert_str_eq(ask("DEL a a b"), ":2\r\n");
	ck_assert_str_eq(ask("DBSIZE"), ":5\r\n");
	ck_assert_int_eq(memcmp(ask("KEYS *"), "*5\r\n", 4), 0);
	ck_assert_str_eq(ask("KEYS [g]"), "*1\r\n$1\r\ng\r\n");
	ck_assert_str_eq(ask("FLUSHALL"), "+OK\r\n");
	ck_assert_str_eq(ask("DBSIZE"), ":0\r\n");
	end_service();
}
END_TEST

/* A key named twice locks its shard once: else this would wait for itself. */
START_TEST(a_key_named_twice_is_locked_once)
{
	begin_service();
	ck_assert_str_eq(ask("MSET a 1 a 2"), "+OK\r\n");
	ck_assert_str_eq(ask("MGET a a"), "*2\r\n$1\r\n2\r\n$1\r\n2\r\n");
	ck_assert_str_eq(ask("DEL a a"), ":1\r\n");
	end_service();
}
END_TEST

/* A command that fails, or is none, gives its locks back as well: end_service looks. */
START_TEST(whatever_the_answer_no_lock_is_left)
{
	static const char *const lines[] = {
		"SET a",  "SET a 1 EX x", "MSET a 1 b", "LPUSH l 1", "GET l",
		"NOPE a", "PING",         "FLUSHALL x", "INFO",      "COMMAND COUNT",
	};

	begin_service();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ask(lines[i]);
	end_service();
}
END_TEST

START_TEST(the_sweep_goes_through_all_shards)
{
	size_t removed = 0;
	char line[64];

	begin_service();
	for (int i = 0; i < 500; i++) {
		snprintf(line, sizeof(line), "SET k%d v PX %d", i, i % 2 ? 100 : 1000);
		ck_assert_str_eq(ask(line), "+OK\r\n");
	}
	ck_assert_uint_eq(shards_sweep(&service.shards, 32 * 64, 1099), 0);
	for (int i = 0; i < 100 && removed < 250; i++)
		removed += shards_sweep(&service.shards, 32 * 64, 1100);
	ck_assert_uint_eq(removed, 250);
	lane.now_ms = 1100;
	ck_assert_str_eq(ask("DBSIZE"), ":250\r\n");
	ck_assert_ptr_nonnull(strstr(ask("INFO"), "expired_keys:250\r\n"));
	end_service();
}
END_TEST

START_TEST(what_domains_count_is_added_up)
{
	static struct lane lanes[3];

	begin_service();
	service.lanes = lanes;
	service.n_lanes = 3;
	for (unsigned i = 0; i < 3; i++) {
		lane_count(&lanes[i].hits, 10 + i);
		lane_count(&lanes[i].misses, 20);
		lane_count(&lanes[i].n_commands, 100);
		lane_count(&lanes[i].clients, 2);
		lane_count(&lanes[i].clients, (uint64_t) -1);
	}
	ask("SET a 1");
	ck_assert_ptr_nonnull(strstr(ask("INFO"), "connected_clients:3\r\n"));
	ck_assert_ptr_nonnull(strstr(ask("INFO"), "total_commands_processed:300\r\n"));
	ck_assert_ptr_nonnull(strstr(ask("INFO"), "keyspace_hits:33\r\nkeyspace_misses:60\r\n"));
	ck_assert_ptr_nonnull(strstr(ask("INFO"), "db0:keys=1,"));
	end_service();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keyval_shards");
	TCase *tcase = tcase_create("keyval_shards");
	SRunner *runner = srunner_create(suite);
	int failed;

	commands_init();
	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, all_of_a_set_are_locked_and_no_others);
	tcase_add_test(tcase, one_domain_has_one_shard_and_takes_no_lock);
	tcase_add_test(tcase, locks_are_taken_in_ascending_order);
	tcase_add_test(tcase, overlapping_sets_exclude_each_other_and_do_not_wait_for_ever);
	tcase_add_test(tcase, a_clock_that_is_behind_does_not_turn_the_shards_back);
	tcase_add_test(tcase, without_memory_for_all_shards_there_is_none);
	tcase_add_test(tcase, commands_of_several_keys_find_each_in_its_shard);
	tcase_add_test(tcase, a_key_named_twice_is_locked_once);
	tcase_add_test(tcase, whatever_the_answer_no_lock_is_left);
	tcase_add_test(tcase, the_sweep_goes_through_all_shards);
	tcase_add_test(tcase, what_domains_count_is_added_up);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
