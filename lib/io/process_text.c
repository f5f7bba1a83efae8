/* SPDX-License-Identifier: ISC */
/*
 * Processes in words.
 */
#include <eio/process.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define N(sig) [sig] = #sig
/* clang-format off */
static const char *const signals[] = {
	N(SIGHUP), N(SIGINT), N(SIGQUIT), N(SIGILL), N(SIGTRAP), N(SIGABRT), N(SIGBUS), N(SIGFPE),
	N(SIGKILL), N(SIGUSR1), N(SIGSEGV), N(SIGUSR2), N(SIGPIPE), N(SIGALRM), N(SIGTERM),
	N(SIGSTKFLT), N(SIGCHLD), N(SIGCONT), N(SIGSTOP), N(SIGTSTP), N(SIGTTIN), N(SIGTTOU),
	N(SIGURG), N(SIGXCPU), N(SIGXFSZ), N(SIGVTALRM), N(SIGPROF), N(SIGWINCH), N(SIGIO),
	N(SIGPWR), N(SIGSYS),
};
/* clang-format on */
#undef N

bool eio_process_is_success(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int eio_process_format_status(int status, char *buf, size_t size)
{
	size_t sig = (size_t) WTERMSIG(status);
	const char *dumped;

	if (WIFEXITED(status))
		return snprintf(buf, size, "exited with code %d", WEXITSTATUS(status));
	if (!WIFSIGNALED(status))
		return snprintf(buf, size, "status 0x%x", (unsigned) status);
	dumped = WCOREDUMP(status) ? " (core dumped)" : "";
	if (sig < sizeof(signals) / sizeof(*signals))
		return snprintf(buf, size, "killed by %s%s", signals[sig], dumped);
	return snprintf(buf, size, "killed by signal %zu%s", sig, dumped);
}

/* Text that is counted also where it does not fit any more. */
struct text {
	char *buf;
	size_t size, len;
};

static void put(struct text *t, char c)
{
	if (t->len < t->size)
		t->buf[t->len] = c;
	t->len++;
}

static void put_word(struct text *t, const char *word)
{
	for (; *word; word++)
		put(t, *word);
}

/* Within quotes there is no way to write one: they end for it, and begin again. */
static void put_quoted(struct text *t, const char *word)
{
	put(t, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			put_word(t, "'\\'");
		put(t, *word);
	}
	put(t, '\'');
}

/* In the first word '=' would make it an assignment. */
static bool is_plain(const char *word, bool is_first)
{
	static const char plain[] = "=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789%+,-./:@_";

	return *word && word[strspn(word, is_first ? plain + 1 : plain)] == 0;
}

int eio_process_format_args(const char *const *argv, char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	for (size_t i = 0; argv[i]; i++) {
		if (i > 0)
			put(&t, ' ');
		if (is_plain(argv[i], i == 0))
			put_word(&t, argv[i]);
		else
			put_quoted(&t, argv[i]);
	}
	if (size > 0)
		buf[t.len < size ? t.len : size - 1] = 0;
	return (int) t.len;
}
