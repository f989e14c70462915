#include "harness.h"

#include "base/sha256.h"

/* FIPS 180-4 and its examples at NIST; the others are what sha256sum(1) says. */
static const struct {
	const char *text;
	size_t repeat;
	const char *digest;
} cases[] = {
	{"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
	 "mnopqrsmnopqrstnopqrstu",
	 1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
	{"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
	/* Around the ends of blocks, where the padding needs one block more. */
	{"a", 54, "a3f01b6939256127582ac8ae9fb47a382a244680806a3f613a118851c1ca1d47"},
	{"a", 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
	{"a", 56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
	{"a", 57, "f13b2d724659eb3bf47f2dd6af1accc87b81f09f59f2b75e5c0bed6589dfe8c6"},
	{"a", 63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
	{"a", 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
	{"a", 65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"},
	{"a", 119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb"},
	{"a", 120, "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c"},
	{"a", 128, "6836cf13bac400e9105071cd6af47084dfacad4e5e302c94bfed24e013afb73e"},
};

START_TEST(known_digests)
{
	cleanup_free char *message = malloc(1000000);
	char digest[SHA256_HEX_SIZE];
	size_t length = 0;

	ck_assert_ptr_nonnull(message);
	for (size_t i = 0; i < cases[_i].repeat; i++) {
		size_t part = strlen(cases[_i].text);
		memcpy(message + length, cases[_i].text, part);
		length += part;
	}
	sha256_hex(message, length, digest);
	ck_assert_str_eq(digest, cases[_i].digest);
}
END_TEST

START_TEST(bytes_of_value_zero_count)
{
	char digest[SHA256_HEX_SIZE];

	sha256_hex("x\0y", 3, digest);
	ck_assert_str_eq(digest,
			 "ce3890a816f5237a17aa7e1436113bbac398dfe216cf965537cd035bdbad900a");
}
END_TEST

START_TEST(nothing_may_be_null)
{
	char digest[SHA256_HEX_SIZE];

	sha256_hex(NULL, 0, digest);
	ck_assert_str_eq(digest, cases[0].digest);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {bytes_of_value_zero_count, nothing_may_be_null, NULL};

	return test_main_loop("sha256", tests, known_digests, array_size(cases));
}
