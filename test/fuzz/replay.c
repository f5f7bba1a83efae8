/* SPDX-License-Identifier: ISC */
/*
 * Runs a fuzzer over the files of a directory, each also cut off at half its length.
 */
#include "fuzz.h"

#include <dirent.h>

static unsigned replay(const char *dir, const char *name)
{
	static uint8_t data[1 << 16];
	char path[4096];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	check(f);
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, len);
	LLVMFuzzerTestOneInput(data, len / 2);
	return 1;
}

int main(int argc, char **argv)
{
	const struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	check(argc == 2);
	dir = opendir(argv[1]);
	check(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			n += replay(argv[1], entry->d_name);
	}
	closedir(dir);
	printf("%u inputs\n", n);
	return n > 0 ? 0 : 1;
}
