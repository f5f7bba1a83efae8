/* SPDX-License-Identifier: ISC */
/*
 * How many cores there are to use, and the option --domains of the servers.
 */
#ifndef DOMAINS_H
#define DOMAINS_H

#include <stdbool.h>

#define DOMAINS_HELP                                                                               \
	"  --domains N          threads that serve; default 1, 0 for one for each core that\n"     \
	"                       may be used\n"

/* Those that this process may run on. */
unsigned cores(void);

/* Reads its value, with the cores in place of 0; false if it is no number from 0 to 1024. */
bool parse_domains(unsigned *ret, const char *text);

#endif
