/* Makes the n-th allocation of a whole plan, outside jansson, fail, for n = 1, 2, 3 … until none is
 * left to fail: each time the plan ends in -ENOMEM and nothing is leaked or touched twice; it never
 * crashes and never succeeds with less. The daemon.json needs every kind of edit. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/builtin.h"
#include "core/plan.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

/* The run is of one thread, and the allocator has no other way to be told. */
static long countdown = -1;
static long live;

static int is_due(void)
{
	if (countdown < 0 || countdown-- > 0)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	void *memory = is_due() ? NULL : __libc_malloc(size);

	live += memory != NULL;
	return memory;
}

void *calloc(size_t count, size_t size)
{
	void *memory = is_due() ? NULL : __libc_calloc(count, size);

	live += memory != NULL;
	return memory;
}

void *realloc(void *old, size_t size)
{
	void *memory = is_due() ? NULL : __libc_realloc(old, size);

	live += memory != NULL && old == NULL;
	return memory;
}

void __libc_free(void *memory);

void free(void *memory)
{
	live -= memory != NULL;
	__libc_free(memory);
}

/* jansson 2.14 fails an assertion when it runs out of memory while it reads (lex_unget_unsave); the
 * program gives it an allocator that ends with a sentence instead. Here it never fails. */
static void *reliable_malloc(size_t size)
{
	void *memory = __libc_malloc(size);

	live += memory != NULL;
	return memory;
}

static const char config[] =
	"{\n  \"icc\": true,\n  \"log-driver\": \"json-file\",\n"
	"  \"log-opts\": {\"max-size\": \"1m\", \"tag\": \"t\"},\n  \"default-ulimit\": 1,\n"
	"  \"insecure-registries\": [\"a\"],\n  \"storage-opts\": [\"dm.basesize=1G\", \"x\"],\n"
	"  \"proxies\": {\"http-proxy\": \"http://u:p@h\"},\n  \"unknown\": 1,\n"
	"  \"labels\": [\"c=d\"]\n}\n";

static int no_loader(const char *name, void *context, char **ret_text, size_t *ret_length,
		     char **ret_path, struct error *error)
{
	(void)context;
	(void)ret_text;
	(void)ret_length;
	(void)ret_path;
	return error_set(error, -ENOENT, "read profile", name, "there is none");
}

static int attempt(const struct facts *facts, struct error *error)
{
	cleanup_profile struct profile profile = {.name = NULL};
	cleanup_plan struct plan plan = {.settings = NULL};
	const struct plan_options options = {.wants = NULL};
	const char *text = builtin_profile_find("hardened")->text;

	int r = profile_parse(text, strlen(text), "hardened", no_loader, NULL, &profile, error);
	return r < 0 ? r : plan_build(facts, &profile, &options, &plan, error);
}

static void add(struct strlist *list, const char *const *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlist_add(list, items[i]) < 0)
			abort();
}

static void fill(struct facts *facts)
{
	static const char *const argv[] = {"/usr/bin/dockerd", "-H",       "fd://",
					   "$DOCKER_OPTS",     "$OPTIONS", "--label=a=b",
					   "--icc=true",       "-Dldebug", "--log-opt=max-size=1m"};
	static const char *const environment[] = {
		"DOCKER_OPTS=--mtu 1400 --bogus --userland-proxy"};
	static const char fragment[] =
		"[Service]\nExecStart=/usr/bin/dockerd -H fd:// $DOCKER_OPTS $OPTIONS \\\n"
		"  --label=a=b --icc=true -Dldebug --log-opt=max-size=1m\n"
		"Environment=\"DOCKER_OPTS=--mtu 1400 --bogus --userland-proxy\"\n";
	static const char options[] = "OPTIONS=\"--live-restore=false --debug\"\n";

	facts->version = (struct dockerver){26, 1, 5};
	facts->swarm = NO;
	facts->daemon = DAEMON_RUNNING;
	facts->config.path = strdup("/etc/docker/daemon.json");
	facts->config.state = FILE_READ;
	facts->config.data = strdup(config);
	facts->config.length = strlen(config);
	facts->unit.known = true;
	facts->unit.name = strdup("docker.service");
	add(&facts->unit.exec_start, argv, array_size(argv));
	add(&facts->unit.environment, environment, array_size(environment));
	facts->unit.texts = calloc(1, sizeof *facts->unit.texts);
	facts->unit.environment_files = calloc(1, sizeof *facts->unit.environment_files);
	if (!facts->unit.texts || !facts->unit.environment_files)
		abort();
	facts->unit.text_count = 1;
	facts->unit.texts[0] = (struct text_file){.path = strdup("/usr/lib/docker.service"),
						  .state = FILE_READ,
						  .data = strdup(fragment),
						  .length = strlen(fragment)};
	facts->unit.environment_file_count = 1;
	facts->unit.environment_files[0].file = (struct text_file){.path = strdup("/etc/options"),
								   .state = FILE_READ,
								   .data = strdup(options),
								   .length = strlen(options)};
	facts->data_root.images = 3;
	facts->data_root.path = strdup("/var/lib/docker");
}

int main(void)
{
	cleanup_facts struct facts facts = FACTS_EMPTY;
	long failures = 0;

	json_set_alloc_funcs(reliable_malloc, free);
	fill(&facts);
	/* What the libraries keep for themselves is allocated once, before it counts. */
	(void)attempt(&facts, &(struct error){.code = 0});
	for (long n = 0;; n++) {
		struct error error = ERROR_NONE;
		long before = live;
		countdown = n;
		int r = attempt(&facts, &error);
		bool reached = countdown < 0;
		countdown = -1;
		if (live != before) {
			(void)printf("allocation %ld fails: %ld blocks are lost\n", n,
				     live - before);
			return 1;
		}
		if (reached && r != -ENOMEM) {
			(void)printf("allocation %ld fails: the result is %d (%s)\n", n, r,
				     error.text);
			return 1;
		}
		if (!reached && r == 0)
			break;
		failures++;
	}
	(void)printf("oom_plan: each of %ld allocations failed in turn, each a clean -ENOMEM\n",
		     failures);
	return 0;
}
