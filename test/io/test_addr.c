/* SPDX-License-Identifier: ISC */
#include "io/util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct eio_addr addr_of(const char *text)
{
	struct eio_addr a;

	ck_assert_msg(eio_addr_parse(&a, text) == 0, "%s is refused", text);
	return a;
}

static const char *text_of(const struct eio_addr *a)
{
	static char text[EIO_ADDR_TEXT];

	ck_assert_ptr_eq(eio_addr_format(a, text, sizeof(text)), text);
	return text;
}

static struct eio_addr from_unix(const void *name, size_t len)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct eio_addr a;

	memcpy(un.sun_path, name, len);
	expect_ok(eio_addr_from_sockaddr(&a, (struct sockaddr *) &un,
					 offsetof(struct sockaddr_un, sun_path) + len));
	return a;
}

static struct eio_addr from_v6(const struct sockaddr_in6 *in)
{
	struct eio_addr a;

	expect_ok(eio_addr_from_sockaddr(&a, (const struct sockaddr *) in, sizeof(*in)));
	return a;
}

/* Text */

static const char *const canonical[] = {
	"127.0.0.1:80",
	"0.0.0.0:0",
	"255.255.255.255:65535",
	"[::]:0",
	"[::1]:80",
	"[2001:db8::8a2e:370:7334]:443",
	"[::ffff:1.2.3.4]:1",
	"[fe80::1%2]:65535",
	"[fe80::1%4294967295]:1",
	"unix:/tmp/x",
	"unix:x",
	"unix:a b:c",
	"unix:@abstract",
	"unix:@",
	"unix:/@",
};

START_TEST(addresses_are_written_as_they_are_read)
{
	for (size_t i = 0; i < COUNT(canonical); i++) {
		struct eio_addr a = addr_of(canonical[i]);

		ck_assert_str_eq(text_of(&a), canonical[i]);
	}
}
END_TEST

START_TEST(other_spellings_are_written_in_one_way)
{
	static const char *const spellings[][2] = {
		{"127.0.0.1:0080", "127.0.0.1:80"},           {"[0:0:0:0:0:0:0:1]:80", "[::1]:80"},
		{"[2001:DB8::1]:80", "[2001:db8::1]:80"},     {"[::1%0]:80", "[::1]:80"},
		{"[::ffff:102:304]:9", "[::ffff:1.2.3.4]:9"},
	};

	for (size_t i = 0; i < COUNT(spellings); i++) {
		struct eio_addr a = addr_of(spellings[i][0]);

		ck_assert_str_eq(text_of(&a), spellings[i][1]);
	}
}
END_TEST

START_TEST(malformed_texts_are_refused_and_change_nothing)
{
	/* clang-format off */
	static const char *const malformed[] = {
		"", ":", ":80", "80", "localhost:80", "*:80",
		"1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:+1", "1.2.3.4: 1",
		"1.2.3.4:1 ", " 1.2.3.4:1", "1.2.3.4:0x50", "1.2.3.4:80:80", "1.2.3.4:http",
		"1.2.3.4:99999999999999999999999", "1.2.3.4:4294967376", "1.2.3:80", "1.2.3.4.5:80",
		"1.2.3.256:80", "1.2.3.:80", "0x1.2.3.4:80", "1234567890123456789:80",
		"::1:80", "::1", "[::1", "[::1]", "[::1]80", "[::1]:", "[::1]:65536", "[]:80",
		"[1.2.3.4]:80", "[::1::2]:80", "[12345::]:80", "[:::]:80", "[::1]:80]",
		"[[::1]]:80",
		"[::1%]:80", "[::1%lo]:80", "[::1%-1]:80", "[::1%4294967296]:80", "[::1%1%1]:80",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80",
		"unix:", "Unix:/x", "unix", "tcp:1.2.3.4:80",
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT(malformed); i++) {
		struct eio_addr a, before;

		memset(&a, 0x5a, sizeof(a));
		before = a;
		ck_assert_msg(eio_addr_parse(&a, malformed[i]) == -EINVAL, "%s is taken",
			      malformed[i]);
		ck_assert_mem_eq(&a, &before, sizeof(a));
	}
}
END_TEST

START_TEST(an_abstract_name_has_at_most_107_bytes)
{
	char text[200] = "unix:@";
	struct eio_addr a;
	size_t len;

	memset(text + 6, 'a', 107);
	a = addr_of(text);
	ck_assert_str_eq(text_of(&a), text);
	eio_addr_sockaddr(&a, &len);
	ck_assert_uint_eq(len, sizeof(struct sockaddr_un));
	text[113] = 'a';
	expect_err(eio_addr_parse(&a, text), -ENAMETOOLONG);
}
END_TEST

START_TEST(a_unix_path_has_at_most_107_bytes)
{
	char text[200] = "unix:/";
	struct eio_addr a;
	size_t len;

	memset(text + 6, 'a', 106);
	a = addr_of(text);
	ck_assert_str_eq(text_of(&a), text);
	eio_addr_sockaddr(&a, &len);
	ck_assert_uint_eq(len, sizeof(struct sockaddr_un));
	text[112] = 'a';
	expect_err(eio_addr_parse(&a, text), -ENAMETOOLONG);
}
END_TEST

START_TEST(format_cuts_what_has_no_room_and_ends_it)
{
	struct eio_addr a = addr_of("127.0.0.1:65535");
	char text[20];

	for (size_t size = 1; size < sizeof(text); size++) {
		memset(text, 'x', sizeof(text));
		eio_addr_format(&a, text, size);
		ck_assert_uint_eq(strlen(text), size - 1 < 15 ? size - 1 : 15);
		ck_assert_int_eq(strncmp(text, "127.0.0.1:65535", size - 1), 0);
		ck_assert_int_eq(text[size], 'x');
	}
}
END_TEST

START_TEST(any_address_has_room_in_ADDR_TEXT)
{
	char path[108];
	struct sockaddr_in6 in = {
		.sin6_family = AF_INET6, .sin6_port = 0xffff, .sin6_scope_id = UINT32_MAX};
	struct eio_addr a;

	memset(path, 'x', sizeof(path));
	a = from_unix(path, sizeof(path));
	ck_assert_uint_eq(strlen(text_of(&a)), 5 + sizeof(path));
	memset(&in.sin6_addr, 0xff, sizeof(in.sin6_addr));
	a = from_v6(&in);
	ck_assert_str_eq(text_of(&a), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
	memset(&a, 0, sizeof(a));
	ck_assert_str_eq(text_of(&a), "family 0");
}
END_TEST

/* Socket addresses */

START_TEST(tcp_addresses_are_made_of_bytes_in_network_order)
{
	static const unsigned char v4[4] = {192, 0, 2, 33};
	static const unsigned char v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x21};
	const struct sockaddr_in6 *in6;
	const struct sockaddr_in *in;
	struct eio_addr a;
	size_t len;

	eio_addr_tcp4(&a, v4, 8080);
	ck_assert_str_eq(text_of(&a), "192.0.2.33:8080");
	in = (const struct sockaddr_in *) eio_addr_sockaddr(&a, &len);
	ck_assert_uint_eq(len, sizeof(*in));
	ck_assert_int_eq(in->sin_family, AF_INET);
	ck_assert_uint_eq(ntohs(in->sin_port), 8080);
	ck_assert_mem_eq(&in->sin_addr, v4, 4);
	eio_addr_tcp6(&a, v6, 8080);
	ck_assert_str_eq(text_of(&a), "[2001:db8::21]:8080");
	in6 = (const struct sockaddr_in6 *) eio_addr_sockaddr(&a, &len);
	ck_assert_uint_eq(len, sizeof(*in6));
	ck_assert_int_eq(in6->sin6_family, AF_INET6);
	ck_assert_uint_eq(ntohs(in6->sin6_port), 8080);
	ck_assert_uint_eq(in6->sin6_scope_id, 0);
	ck_assert_mem_eq(&in6->sin6_addr, v6, 16);
}
END_TEST

START_TEST(unix_names_are_as_the_kernel_wants_them)
{
	const struct sockaddr_un *un;
	size_t len, head = offsetof(struct sockaddr_un, sun_path);
	struct eio_addr a = addr_of("unix:/tmp/x");

	un = (const struct sockaddr_un *) eio_addr_sockaddr(&a, &len);
	ck_assert_int_eq(un->sun_family, AF_UNIX);
	ck_assert_uint_eq(len, head + sizeof("/tmp/x"));
	ck_assert_str_eq(un->sun_path, "/tmp/x");
	a = addr_of("unix:@x@y");
	un = (const struct sockaddr_un *) eio_addr_sockaddr(&a, &len);
	ck_assert_uint_eq(len, head + 4);
	ck_assert_mem_eq(un->sun_path, "\0x@y", 4);
	ck_assert_ptr_nonnull(eio_addr_sockaddr(&a, NULL));
}
END_TEST

START_TEST(names_the_kernel_gives_are_shown)
{
	struct eio_addr a = from_unix("", 0);

	ck_assert_str_eq(text_of(&a), "unix:");
	a = from_unix("path\0junk", 9);
	ck_assert_str_eq(text_of(&a), "unix:path");
	a = from_unix("\0a\0b", 4);
	ck_assert_str_eq(text_of(&a), "unix:@a@b");
}
END_TEST

START_TEST(a_sockaddr_of_2_to_128_bytes_is_taken)
{
	char bytes[129];
	struct eio_addr a, before;
	size_t len;

	memset(bytes, 0x11, sizeof(bytes));
	memset(&a, 0x5a, sizeof(a));
	before = a;
	expect_err(eio_addr_from_sockaddr(&a, (struct sockaddr *) bytes, 0), -EINVAL);
	expect_err(eio_addr_from_sockaddr(&a, (struct sockaddr *) bytes, 1), -EINVAL);
	expect_err(eio_addr_from_sockaddr(&a, (struct sockaddr *) bytes, 129), -EINVAL);
	ck_assert_mem_eq(&a, &before, sizeof(a));
	for (size_t i = 2; i <= 128; i++) {
		static const char zeros[128];

		expect_ok(eio_addr_from_sockaddr(&a, (struct sockaddr *) bytes, i));
		ck_assert_mem_eq(eio_addr_sockaddr(&a, &len), bytes, i);
		ck_assert_uint_eq(len, i);
		ck_assert_mem_eq((char *) a.sa + i, zeros, 128 - i);
	}
}
END_TEST

START_TEST(the_port_is_in_host_order_and_0_where_there_is_none)
{
	static const struct {
		const char *text;
		unsigned port;
	} ports[] = {
		{"127.0.0.1:258", 258}, {"[::1]:65535", 65535}, {"1.2.3.4:0", 0},
		{"unix:/x:80", 0},      {"unix:@80", 0},
	};
	struct eio_addr a;

	for (size_t i = 0; i < COUNT(ports); i++) {
		a = addr_of(ports[i].text);
		ck_assert_uint_eq(eio_addr_port(&a), ports[i].port);
	}
	memset(&a, 0, sizeof(a));
	ck_assert_uint_eq(eio_addr_port(&a), 0);
}
END_TEST

/* Equality */

START_TEST(an_address_equals_itself_and_no_other)
{
	for (size_t i = 0; i < COUNT(canonical); i++) {
		struct eio_addr a = addr_of(canonical[i]);

		for (size_t k = 0; k < COUNT(canonical); k++) {
			struct eio_addr b = addr_of(canonical[k]);

			ck_assert_msg(eio_addr_equal(&a, &b) == (i == k), "%s, %s", canonical[i],
				      canonical[k]);
		}
	}
}
END_TEST

START_TEST(addresses_that_differ_in_one_part_are_different)
{
	static const char *const pairs[][2] = {
		{"127.0.0.1:80", "127.0.0.1:81"},
		{"127.0.0.1:80", "127.0.0.2:80"},
		{"1.2.3.4:80", "[::ffff:1.2.3.4]:80"},
		{"[::1]:80", "[::1]:81"},
		{"[::1]:80", "[::2]:80"},
		{"[fe80::1%1]:80", "[fe80::1%2]:80"},
		{"unix:/a", "unix:/b"},
		{"unix:/a", "unix:/ab"},
		{"unix:@a", "unix:@ab"},
		{"unix:@a", "unix:a"},
	};

	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct eio_addr a = addr_of(pairs[i][0]), b = addr_of(pairs[i][1]);

		ck_assert_msg(!eio_addr_equal(&a, &b), "%s, %s", pairs[i][0], pairs[i][1]);
		ck_assert(!eio_addr_equal(&b, &a));
	}
}
END_TEST

START_TEST(what_is_no_part_of_an_address_does_not_count)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_flowinfo = 5};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
	struct eio_addr a, b;

	memset(in.sin_zero, 7, sizeof(in.sin_zero));
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect_ok(eio_addr_from_sockaddr(&a, (struct sockaddr *) &in, sizeof(in)));
	b = addr_of("127.0.0.1:80");
	ck_assert(eio_addr_equal(&a, &b));
	a = from_v6(&in6);
	b = addr_of("[::]:0");
	ck_assert(eio_addr_equal(&a, &b));
	a = from_unix("/x", 2);
	b = addr_of("unix:/x");
	ck_assert(eio_addr_equal(&a, &b));
	a = from_unix("/x\0y", 4);
	ck_assert(eio_addr_equal(&a, &b));
	a = from_unix("\0x\0", 3);
	b = addr_of("unix:@x");
	ck_assert(!eio_addr_equal(&a, &b));
}
END_TEST

START_TEST(addresses_of_unknown_families_are_compared_by_their_bytes)
{
	unsigned short bytes[8] = {AF_NETLINK, 1, 2, 3};
	struct eio_addr a, b;

	expect_ok(eio_addr_from_sockaddr(&a, (struct sockaddr *) bytes, sizeof(bytes)));
	expect_ok(eio_addr_from_sockaddr(&b, (struct sockaddr *) bytes, sizeof(bytes)));
	ck_assert(eio_addr_equal(&a, &b));
	expect_ok(eio_addr_from_sockaddr(&b, (struct sockaddr *) bytes, sizeof(bytes) - 1));
	ck_assert(!eio_addr_equal(&a, &b));
	bytes[7] = 1;
	expect_ok(eio_addr_from_sockaddr(&b, (struct sockaddr *) bytes, sizeof(bytes)));
	ck_assert(!eio_addr_equal(&a, &b));
}
END_TEST

SUITE_MAIN("addr", false, addresses_are_written_as_they_are_read,
	   other_spellings_are_written_in_one_way, malformed_texts_are_refused_and_change_nothing,
	   an_abstract_name_has_at_most_107_bytes, a_unix_path_has_at_most_107_bytes,
	   format_cuts_what_has_no_room_and_ends_it, any_address_has_room_in_ADDR_TEXT,
	   tcp_addresses_are_made_of_bytes_in_network_order,
	   unix_names_are_as_the_kernel_wants_them, names_the_kernel_gives_are_shown,
	   a_sockaddr_of_2_to_128_bytes_is_taken,
	   the_port_is_in_host_order_and_0_where_there_is_none,
	   an_address_equals_itself_and_no_other, addresses_that_differ_in_one_part_are_different,
	   what_is_no_part_of_an_address_does_not_count,
	   addresses_of_unknown_families_are_compared_by_their_bytes)
