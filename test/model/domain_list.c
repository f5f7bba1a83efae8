/* SPDX-License-Identifier: ISC */
/* The library's list of domains, with the model told where it lies. */
#include "core/domains.c" /* for what is static there */
#include "model/domain.h"

void model_domain_list(bool matters)
{
	eio__domains_forget();
	domains.last_id = 0;
	model_region("domains", &domains, sizeof(domains));
	if (!matters)
		model_aside(&domains, sizeof(domains));
}
