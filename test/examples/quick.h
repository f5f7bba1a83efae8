/* SPDX-License-Identifier: ISC */
/* What is asserted a million times: libcheck writes to a file for each of its own. */
#ifndef EIO_TEST_EXAMPLES_QUICK_H
#define EIO_TEST_EXAMPLES_QUICK_H

#include <check.h>

#define quick_assert(condition)                                                                    \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg("%s:%d: %s", __FILE__, __LINE__, #condition);                 \
	} while (0)

#endif
