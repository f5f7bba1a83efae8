/* SPDX-License-Identifier: ISC */
#include "model/suite.h"
#include "base/sanitize.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef EIO__TSAN
enum { SKIPPED = true };
#else
enum { SKIPPED = false };
#endif

int model_suite(const char *name, const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;

	if (SKIPPED) {
		printf("skipped: the thread sanitizer cannot follow states that come again\n");
		return 77;
	}
	tcase_set_timeout(tcase, 300);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
