/* SPDX-License-Identifier: ISC */
#include "domains.h"

#include <sched.h>
#include <stdlib.h>

unsigned cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned) CPU_COUNT(&set) : 1;
}

bool parse_domains(unsigned *ret, const char *text)
{
	char *rest;
	unsigned long n = strtoul(text, &rest, 10);

	if (text[0] < '0' || text[0] > '9' || *rest != '\0' || n > 1024)
		return false;
	*ret = n > 0 ? (unsigned) n : cores();
	return true;
}
