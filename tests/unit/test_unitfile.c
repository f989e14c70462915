/* Unit files as texts. tests/host/test_unit_oracle.py compares many more with systemd itself. */
#include "harness.h"

#include "base/strbuf.h"
#include "core/unitfile.h"

/* What a fragment and up to two drop-ins come to: "<word>…" for each command, prefixes as letters
 * in front; then "A=b;" for each variable, "@path;" for each environment file, "-A;" for each that
 * is unset. "!" is a unit that systemd does not load. */
static const struct {
	const char *texts[3];
	const char *want;
} rows[] = {
	{{"[Service]\nExecStart=/bin/x a b\n"}, "<a><b>|"},
	{{"[Service]\nExecStart=/bin/x a\\\n  b\n"}, "<a><b>|"},
	{{"[Service]\nExecStart=/bin/x a \\\n# why\n  ; why\n  b"}, "<a><b>|"},
	{{"[Service]\r\nExecStart=/bin/x a\r\n"}, "<a>|"},
	{{"\xEF\xBB\xBF[Service]\nExecStart=/bin/x a\n"}, "<a>|"},
	{{"  [Service]  \n  ExecStart = /bin/x a  \n"}, "<a>|"},
	{{"ExecStart=/bin/y\n[Service]\nExecStart=/bin/x\n"}, "|"},
	{{"[Unit]\nExecStart=/bin/y\n[Service]\nExecStart=/bin/x\n[Install]\nExecStart=/bin/z\n"},
	 "|"},
	{{"[service]\nExecStart=/bin/y\n[Service]\nExecStart=/bin/x\n"}, "|"},
	{{"[Service]\nExecStart=/bin/x \xFF\nExecStart=/bin/x y\n"}, "<y>|"},
	{{"[Service]\nnonsense\nExecStart=/bin/x\n"}, "|"},
	{{"[Service\nExecStart=/bin/x\n"}, "!"},
	{{"[Service]\nExecStart=/bin/x\n", "[Service\nEnvironment=A=b\n"}, "|"},
	/* resets */
	{{"[Service]\nExecStart=/bin/x a\n", "[Service]\nExecStart=\nExecStart=/bin/x b\n"},
	 "<b>|"},
	{{"[Service]\nExecStart=/bin/x a\n", "[Service]\nExecStart=/bin/x b\n"}, "!"},
	{{"[Service]\nType=oneshot\nExecStart=/bin/x a\n", "[Service]\nExecStart=/bin/x b\n"},
	 "<a>|<b>|"},
	{{"[Service]\nExecStart=/bin/x a\n", "[Service]\nExecStart=\n"}, "!"},
	{{"[Service]\nExecStart=/bin/x a\n", "[Service]\nExecStart=\nExecStart=/bin/x b\n",
	  "[Service]\nExecStart=\nExecStart=/bin/x c\n"},
	 "<c>|"},
	/* several commands, and words that look like the end of one */
	{{"[Service]\nType=oneshot\nExecStart=/bin/x a ; /bin/y b\n"}, "<a>|<b>|"},
	{{"[Service]\nExecStart=/bin/x a \\; b \";\" c;\n"}, "<a><;><b><;><c;>|"},
	/* quotes and escapes */
	{{"[Service]\nExecStart=/bin/x \"a b\" 'c d' e\"f g\"h\n"}, "<a b><c d><ef gh>|"},
	{{"[Service]\nExecStart=/bin/x \\x41 \\q \"a\\\"b\"\n"}, "<A><\\q><a\"b>|"},
	{{"[Service]\nExecStart=/bin/x \"a\n"}, "!"},
	{{"[Service]\nExecStart=/bin/x a\nExecStart=-/bin/x \"a\n"}, "<a>|"},
	{{"[Service]\nExecStart=/bin/x a\n", "[Service]\nExecStart=/bin/x \"b\nEnvironment=A=b\n"},
	 "<a>|"},
	/* prefixes */
	{{"[Service]\nExecStart=-/bin/x a\n"}, "-<a>|"},
	{{"[Service]\nExecStart=@/bin/x name a\n"}, "@<a>|"},
	{{"[Service]\nExecStart=-@:+/bin/x name a\n"}, "-+:@<a>|"},
	{{"[Service]\nExecStart=!/bin/x\n"}, "!<>|"},
	{{"[Service]\nExecStart=!!/bin/x\n"}, "!!<>|"},
	{{"[Service]\nExecStart=|/bin/x\n"}, "\\|<>|"},
	{{"[Service]\nExecStart=@/bin/x\n"}, "!"},
	{{"[Service]\nExecStart=bin/x\n"}, "!"},
	{{"[Service]\nExecStart=/bin/\n"}, "!"},
	{{"[Service]\nExecStart=x a\n"}, "<a>|"},
	/* specifiers */
	{{"[Service]\nExecStart=/bin/x %n %N %p %i %j %f %% 5% %t\n"},
	 "<docker-a.service><docker-a><docker-a><><a></docker/a><%><5%></run>|"},
	{{"[Service]\nExecStart=/bin/x %H %b %_\n"}, "<web1><%b><%_>|"},
	{{"[Service]\nExecStart=/bin/x %1\n"}, "!"},
	{{"[Service]\nExecStart=/bin/x %y %Y\n"}, "</u/0></u>|"},
	/* variables */
	{{"[Service]\nExecStart=/bin/x $A\nEnvironment=A=b C=d\nEnvironment=\"A=e f\" 'G=h'\n"},
	 "<$A>|A=e f;C=d;G=h;"},
	{{"[Service]\nExecStart=/bin/x\nEnvironment=A=%n%% 1B=x B\n"}, "|A=docker-a.service%;"},
	{{"[Service]\nExecStart=/bin/x\nEnvironment=A=1 B=\\q C=2\n"}, "|A=1;"},
	{{"[Service]\nExecStart=/bin/x\nEnvironment=A=1 %1=2 C=%1 D=2\n"}, "|A=1;D=2;"},
	{{"[Service]\nExecStart=/bin/x\nEnvironment=A=1\n",
	  "[Service]\nEnvironment=\nEnvironment=B=2\n"},
	 "|B=2;"},
	{{"[Service]\nExecStart=/bin/x\nUnsetEnvironment=A B=c 1\n"}, "|-A;-B=c;"},
	/* environment files */
	{{"[Service]\nExecStart=/bin/x\nEnvironmentFile=-/etc//default/./x\nEnvironmentFile=/a "
	  "b\n"},
	 "|@-/etc/default/x;@/a b;"},
	{{"[Service]\nExecStart=/bin/x\nEnvironmentFile=/a\nEnvironmentFile=rel\nEnvironmentFile=/"
	  "%N\n"},
	 "|@/a;@/docker-a;"},
	{{"[Service]\nExecStart=/bin/x\nEnvironmentFile=/a\n", "[Service]\nEnvironmentFile=\n"},
	 "|"},
};

static void print_command(struct strbuf *out, const struct unit_command *command)
{
	static const struct {
		unsigned flag;
		const char *text;
	} flags[] = {{EXEC_IGNORE_FAILURE, "-"}, {EXEC_PRIVILEGED, "+"}, {EXEC_NO_SETUID, "!"},
		     {EXEC_AMBIENT, "!!"},       {EXEC_NO_EXPAND, ":"},  {EXEC_VIA_SHELL, "\\|"}};

	for (size_t i = 0; i < array_size(flags); i++)
		if (command->exec.flags & flags[i].flag)
			(void)strbuf_adds(out, flags[i].text);
	if (strcmp(command->exec.argv.items[0], "name") == 0)
		(void)strbuf_adds(out, "@");
	if (command->exec.flags & (EXEC_NO_SETUID | EXEC_AMBIENT | EXEC_VIA_SHELL))
		(void)strbuf_adds(out, "<>");
	for (size_t i = 1; i < command->exec.argv.count; i++)
		(void)strbuf_addf(out, "<%s>", command->exec.argv.items[i]);
	(void)strbuf_adds(out, "|");
}

static void print_file(struct strbuf *out, const struct unitfile *file)
{
	for (size_t i = 0; i < file->command_count; i++)
		print_command(out, &file->commands[i]);
	for (size_t i = 0; i < file->environment.count; i++)
		(void)strbuf_addf(out, "%s;", file->environment.items[i]);
	for (size_t i = 0; i < file->environment_files.count; i++)
		(void)strbuf_addf(out, "@%s;", file->environment_files.items[i]);
	for (size_t i = 0; i < file->unset_environment.count; i++)
		(void)strbuf_addf(out, "-%s;", file->unset_environment.items[i]);
}

static struct unit_specifiers specifiers(void)
{
	struct unit_specifiers specifiers = {.unit = "docker-a.service"};

	specifiers.value['H'] = "web1";
	return specifiers;
}

static int parse(const char *const *texts, size_t count, struct unitfile *ret)
{
	static const char *const paths[] = {"/u/0", "/u/1", "/u/2"};
	const struct unit_specifiers known = specifiers();
	struct unit_text files[3];
	struct error error = ERROR_NONE;

	for (size_t i = 0; i < count; i++)
		files[i] = (struct unit_text){paths[i], texts[i], strlen(texts[i])};
	int r = unitfile_parse(files, count, &known, ret, &error);
	if (r < 0)
		ck_assert_str_ne(error.path, "");
	return r;
}

START_TEST(test_row)
{
	cleanup_unitfile struct unitfile file = {.commands = NULL};
	cleanup_strbuf struct strbuf out = STRBUF_EMPTY;
	size_t count = 0;

	while (count < 3 && rows[_i].texts[count])
		count++;
	if (parse(rows[_i].texts, count, &file) < 0 || unitfile_problem(&file))
		(void)strbuf_adds(&out, "!");
	else
		print_file(&out, &file);
	ck_assert_msg(strcmp(out.data, rows[_i].want) == 0, "row %d: %s, not %s", _i, out.data,
		      rows[_i].want);
}
END_TEST

/* The raw words, joined, are the same command. */
START_TEST(test_raw_words_mean_the_same)
{
	for (size_t i = 0; i < array_size(rows); i++) {
		cleanup_unitfile struct unitfile file = {.commands = NULL};
		cleanup_unitfile struct unitfile again = {.commands = NULL};
		cleanup_strbuf struct strbuf text = STRBUF_EMPTY;
		size_t count = 0;

		while (count < 3 && rows[i].texts[count])
			count++;
		if (parse(rows[i].texts, count, &file) < 0 || !file.command_count)
			continue;
		(void)strbuf_adds(&text, "[Service]\n");
		for (size_t c = 0; c < file.command_count; c++) {
			(void)strbuf_adds(&text, "ExecStart=");
			for (size_t w = 0; w < file.commands[c].raw.count; w++)
				(void)strbuf_addf(&text, "%s ", file.commands[c].raw.items[w]);
			(void)strbuf_adds(&text, "\n");
		}
		const char *const texts[] = {text.data};
		ck_assert_int_eq(parse(texts, 1, &again), 0);
		ck_assert_uint_eq(again.command_count, file.command_count);
		for (size_t c = 0; c < file.command_count; c++) {
			const struct exec_command *a = &file.commands[c].exec;
			const struct exec_command *b = &again.commands[c].exec;
			ck_assert_str_eq(a->path, b->path);
			ck_assert_uint_eq(a->flags, b->flags);
			ck_assert_uint_eq(a->argv.count, b->argv.count);
			for (size_t w = 0; w < a->argv.count; w++)
				ck_assert_str_eq(a->argv.items[w], b->argv.items[w]);
		}
	}
}
END_TEST

START_TEST(test_an_unknown_specifier_is_told)
{
	const char *const texts[] = {"[Service]\nExecStart=/bin/x %b\n"};
	const char *const known[] = {"[Service]\nExecStart=/bin/x %H\n"};
	cleanup_unitfile struct unitfile file = {.commands = NULL};
	cleanup_unitfile struct unitfile other = {.commands = NULL};

	ck_assert_int_eq(parse(texts, 1, &file), 0);
	ck_assert(file.unresolved);
	ck_assert_int_eq(parse(known, 1, &other), 0);
	ck_assert(!other.unresolved);
}
END_TEST

static void check_list(const struct strlist *list, const char *const *want)
{
	size_t count = 0;

	for (; want[count]; count++) {
		ck_assert_uint_lt(count, list->count);
		ck_assert_str_eq(list->items[count], want[count]);
	}
	ck_assert_uint_eq(list->count, count);
}

START_TEST(test_order)
{
	static const char *const found[] = {"/etc/x/b.conf", "/etc/x/zz.conf", "/run/x/a.conf",
					    "/run/x/b.conf", "/lib/x/10.conf"};
	static const char *const want[] = {"/lib/x/10.conf", "/run/x/a.conf", "/etc/x/b.conf",
					   "/etc/x/zz.conf", NULL};
	cleanup_strlist struct strlist paths = {.items = NULL};
	cleanup_strlist struct strlist ordered = {.items = NULL};

	for (size_t i = 0; i < array_size(found); i++)
		ck_assert_int_eq(strlist_add(&paths, found[i]), 0);
	ck_assert_int_eq(unitfile_order_dropins(&paths, &ordered, NULL), 0);
	check_list(&ordered, want);
}
END_TEST

START_TEST(test_folders)
{
	static const struct {
		const char *unit;
		const char *want[6];
	} cases[] = {
		{"docker.service", {"docker.service.d", "service.d"}},
		{"a-b-c.service",
		 {"a-b-c.service.d", "a-b-.service.d", "a-.service.d", "service.d"}},
		{"d@x.service", {"d@x.service.d", "d@.service.d", "service.d"}},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		cleanup_strlist struct strlist folders = {.items = NULL};
		ck_assert_int_eq(unitfile_dropin_folders(cases[i].unit, &folders, NULL), 0);
		check_list(&folders, cases[i].want);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_raw_words_mean_the_same,
				      test_an_unknown_specifier_is_told, test_order, test_folders,
				      NULL};

	return test_main_loop("unitfile", tests, test_row, array_size(rows));
}
