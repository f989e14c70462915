# harden. `make help` lists what can be done. Everything that is built goes to $(BUILD).

ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
BUILD   ?= build
prefix  ?= /usr/local
DESTDIR ?=
PYTHON  ?= /usr/bin/python3
VERSION := 0.1.0

sbindir = $(prefix)/sbin
datadir = $(prefix)/share
mandir  = $(datadir)/man
unitdir = $(prefix)/lib/systemd/system
# harden itself looks nowhere else.
sysconfdir = /etc
bashdir = $(datadir)/bash-completion/completions
# Debian's zsh looks into vendor-completions below /usr, and everybody's into site-functions.
zshdir  = $(datadir)/zsh/$(if $(filter /usr,$(prefix)),vendor-completions,site-functions)
fishdir = $(datadir)/fish/vendor_completions.d

# How many random documents the property test draws.
PROPERTY_COUNT ?= 100000
# `make fuzz`: how long each target runs, how many at once, and which ones.
TIME           ?= 60
JOBS           ?= $(shell nproc)
FUZZ           ?= $(patsubst fuzz_%,%,$(notdir $(FUZZERS)))
# `make torture`: hosts side by side (they mostly wait), and more options, such as TORTURE='--mode power'.
TORTURE_JOBS   ?= $(shell expr 2 \* $$(nproc))
TORTURE        ?=

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wwrite-strings -Wundef -Wformat=2 -Wvla -Wcast-align \
            -Wimplicit-fallthrough -Wswitch-enum -Wnull-dereference
HARDENING := -fstack-protector-strong -D_FORTIFY_SOURCE=2
OPTIMIZE  := -O2 -g
SANITIZE  :=
# Not empty: programs count the lines that they run, see tests/coverage/counters.c.
COUNTED   :=

PKG_CFLAGS := $(shell pkg-config --cflags jansson libsystemd 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs jansson libsystemd 2>/dev/null)
CHECK_LIBS  = $(shell pkg-config --libs check)

CPPFLAGS_ALL = -Iinclude -D_GNU_SOURCE -DHARDEN_VERSION='"$(VERSION)"' \
               -DTEMPLATES_DIR='"$(CURDIR)/templates"' \
               -DCANARY_PROGRAM='"$(abspath $(CANARY))"' $(PKG_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL   = -std=gnu11 -fPIE $(WARNINGS) $(HARDENING) $(OPTIMIZE) $(SANITIZE) $(COUNT) $(CFLAGS)
LDFLAGS_ALL  = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(SANITIZE) $(COUNT_LINK) \
               $(LDFLAGS)
COMPILE      = $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP
# Each of gcov's counters in a section of its own, so that counters.ld can gather them. As builtins fork() and
# exec() would write what was counted, and begin anew.
ifneq ($(COUNTED),)
HARDENING   :=
OPTIMIZE    := -O0 -g
COUNT       := --coverage -fprofile-update=atomic -fdata-sections \
               $(addprefix -fno-builtin-,fork execl execlp execle execv execvp execve)
COUNT_LINK  := --coverage -Wl,-T,tests/coverage/counters.ld -Wl,-u,counters_map -Wl,--wrap=__gcov_exit
COUNTER     := $(BUILD)/obj/counters.o
endif
SANITIZERS   = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# `make V=1` shows whole command lines.
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $(2); )

SOURCES   := $(sort $(wildcard src/*/*.c))
OBJECTS   := $(SOURCES:src/%.c=$(BUILD)/obj/%.o)
MAIN      := $(BUILD)/obj/cli/main.o
PROGRAM   := $(BUILD)/harden
LIBRARY   := $(BUILD)/libharden.a
CANARY    := $(BUILD)/canary
COMPLETIONS := $(addprefix $(BUILD)/completion.,bash zsh fish)
UNITS     := $(notdir $(sort $(wildcard contrib/*.service)))
PROFILES  := $(sort $(wildcard templates/profiles/*.json))
TEXTS     := $(sort $(wildcard templates/rsyslog/*.conf templates/units/*.conf))
MAN_PAGES := $(sort $(wildcard man/*.[1-8]))
# Tests are in the source package only: a changed one is not worth another build.
PACKAGED  := $(shell find Makefile README.md src include templates man contrib -type f)
PACKAGE   := $(BUILD)/deb/build.log

SHELLS    := $(sort $(wildcard templates/completions/*))

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
PROPERTIES := $(patsubst tests/property/%.c,$(BUILD)/property/%,$(sort $(wildcard tests/property/*.c)))
# Its own malloc() and the sanitizers' do not go together.
PROPERTIES := $(if $(SANITIZE),$(filter-out %/oom_plan,$(PROPERTIES)),$(PROPERTIES))
FUZZERS    := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
C_FILES    := $(SOURCES) src/canary.c $(sort $(wildcard include/*/*.h tests/*/*.c tests/*/*.h))

export HARDEN_TEST_DATA := $(CURDIR)/tests/data

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all run help install uninstall deb clean format lint bench shell check check-unit \
        check-compilers check-sanitized check-valgrind check-property check-fuzz check-hosts \
        check-lint check-cli check-package check-beside check-coverage bases fuzz fuzz-merge \
        fuzz-afl fuzzers torture screen numbers counted coverage coverage-table check-analysers \
        check-scan check-cppcheck check-gcc-analyser

all: $(PROGRAM) $(COMPLETIONS) ## build the program

run: $(PROGRAM) ## build, and show the plan for this host
	$(PROGRAM) --dry-run

# The program ---------------------------------------------------------------------------------------

ifeq ($(PKG_LIBS),)
ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),all)),)
$(error jansson and libsystemd are not here. On Debian: sh contrib/bootstrap $(firstword $(MAKECMDGOALS)), or apt-get install gcc pkg-config libjansson-dev libsystemd-dev)
endif
endif

$(BUILD)/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) -c $< -o $@

# The templates and the canary are embedded by the assembler, which the dependency files do not see.
$(BUILD)/obj/core/builtin.o $(BUILD)/analysed/core/builtin.o: $(PROFILES) $(TEXTS) $(SHELLS) $(CANARY)

# A program for a container that has nothing else: static, without a libc, as small as it gets. What the
# rest of harden is compiled with (sanitizers, hardening that needs a libc) is not for it.
CANARY_FLAGS := -std=gnu11 -Os -Wall -Wextra -Werror -ffreestanding -fno-builtin -fno-pie \
                -fno-stack-protector -fno-asynchronous-unwind-tables -U_FORTIFY_SOURCE \
                -static -nostdlib -Wl,--build-id=none -Wl,-z,noseparate-code \
                -Wl,-z,noexecstack -Wl,-s

$(CANARY): src/canary.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CANARY_FLAGS) $< -o $@

$(BUILD)/obj/counters.o: COUNT :=
$(BUILD)/obj/counters.o: tests/coverage/counters.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) -DCOUNTERS='"$(abspath $(BUILD)/counters)"' \
	         -DCOUNTERS_IN_HOST='"/run/harden-counters"' -c $< -o $@

$(LIBRARY): $(filter-out $(MAIN),$(OBJECTS)) $(COUNTER)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

$(PROGRAM): $(MAIN) $(LIBRARY)
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(PKG_LIBS) -o $@

# The program writes its own completions.
$(BUILD)/completion.%: $(PROGRAM)
	$(call say,GEN,$@)$(PROGRAM) --completion $* >$@

# What systemd would do for the units here. With DESTDIR the files are for another system or a package,
# where enabling is left to whoever unpacks them.
define enable
	command -v systemctl >/dev/null || exit 0; \
	systemctl enable $(addprefix $(unitdir)/,$(UNITS)) && $(reload)
endef

define disable
	command -v systemctl >/dev/null || exit 0; \
	systemctl disable $(UNITS) 2>/dev/null || :
endef

reload = if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

install: $(PROGRAM) $(COMPLETIONS) ## install below $(DESTDIR)$(prefix), and enable the boot units
	install -D -m 0755 $(PROGRAM) $(DESTDIR)$(sbindir)/harden
	for text in $(patsubst templates/%,%,$(PROFILES) $(TEXTS)); do \
	  install -D -m 0644 templates/$$text $(DESTDIR)$(datadir)/harden/$$text || exit; done
	for page in $(MAN_PAGES); do \
	  install -D -m 0644 $$page $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/} || exit; done
	install -D -m 0644 $(BUILD)/completion.bash $(DESTDIR)$(bashdir)/harden
	install -D -m 0644 $(BUILD)/completion.zsh $(DESTDIR)$(zshdir)/_harden
	install -D -m 0644 $(BUILD)/completion.fish $(DESTDIR)$(fishdir)/harden.fish
	install -d $(DESTDIR)$(sysconfdir)/harden/profiles $(DESTDIR)$(unitdir)
	for unit in $(UNITS); do \
	  sed 's|^ExecStart=[^ ]*|ExecStart=$(sbindir)/harden|' contrib/$$unit \
	    >$(DESTDIR)$(unitdir)/$$unit && chmod 0644 $(DESTDIR)$(unitdir)/$$unit || exit; done
	$(if $(DESTDIR),,$(enable))

# Folders that uninstall removes where nothing else is in them, children first. The upper ones of /usr and
# /usr/local belong to the system.
EMPTIED = $(sysconfdir)/harden/profiles $(sysconfdir)/harden $(mandir)/man5 $(mandir)/man8 $(unitdir) \
          $(prefix)/lib/systemd $(foreach folder,$(bashdir) $(zshdir) $(fishdir),$(folder) $(dir $(folder))) \
          $(if $(filter /usr /usr/local,$(prefix)),,$(mandir) $(datadir) $(prefix)/lib $(sbindir) $(prefix))

# /var/lib/harden stays: it has the way back from what was applied. So does what the admin has put into
# /etc/harden.
uninstall: ## remove what install put there
	$(if $(DESTDIR),,$(disable))
	rm -f $(DESTDIR)$(sbindir)/harden $(addprefix $(DESTDIR)$(unitdir)/,$(UNITS)) \
	  $(foreach page,$(MAN_PAGES),$(DESTDIR)$(mandir)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
	rm -f $(DESTDIR)$(bashdir)/harden $(DESTDIR)$(zshdir)/_harden $(DESTDIR)$(fishdir)/harden.fish
	rm -rf $(DESTDIR)$(datadir)/harden
	for folder in $(EMPTIED); do \
	  rmdir --ignore-fail-on-non-empty $(DESTDIR)$$folder 2>/dev/null || :; done
	$(if $(DESTDIR),,$(reload))

# The package ---------------------------------------------------------------------------------------

deb: $(PACKAGE) ## build a Debian package, $(BUILD)/deb/harden_*.deb

$(PACKAGE): $(PACKAGED)
	contrib/make-deb $(@D) $(VERSION)

# Tests ---------------------------------------------------------------------------------------------

# Those with processes and deadlines have the machine to themselves, but for one process that unpacks what
# the hosts are made of. The hosts mostly wait, so the rest goes on beside them; what each says is shown when
# it is done. What the hosts need is built first: make would begin with them only when it has walked through
# everything that all others need.
ALONE  := check-unit check-valgrind
BESIDE := check-coverage check-lint check-analysers check-compilers check-sanitized check-property \
          check-fuzz check-package

check: ## pass every test; contrib/bootstrap check also installs what it needs
	+$(MAKE) --no-print-directory $(TWO) $(FOR_HOSTS) $(UNIT_TESTS) counted
	+set -e; for check in $(ALONE); do $(MAKE) --no-print-directory $$check; done
	+$(MAKE) --no-print-directory $(TWO) check-cli bases
	+$(MAKE) --no-print-directory $(TWO) --output-sync=target check-hosts check-beside
	@$(MAKE) --no-print-directory coverage-table
	@echo "check: all of it passed"

# Two at a time, unless somebody has said how many.
TWO = $(if $(filter -j%,$(MAKEFLAGS)),,-j2)

check-beside:
	+@set -e; for check in $(BESIDE); do $(MAKE) --no-print-directory $$check; done

$(BUILD)/unit/%: tests/unit/%.c $(LIBRARY) Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) $< $(LDFLAGS_ALL) $(LIBRARY) $(PKG_LIBS) $(CHECK_LIBS) -o $@

$(BUILD)/property/%: tests/property/%.c $(LIBRARY) Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) $< $(LDFLAGS_ALL) $(LIBRARY) $(PKG_LIBS) -o $@

check-unit: $(UNIT_TESTS) ## unit tests
	@printf '%s\n' $(UNIT_TESTS) | xargs -P "$$(nproc)" -I {} $(or $(RUNNER),env) {}

check-sanitized: ## unit tests under ASan and UBSan
	+$(MAKE) --no-print-directory BUILD=$(BUILD)/sanitized SANITIZE="$(SANITIZERS)" \
	         HARDENING= OPTIMIZE="-O1 -g" WARNINGS="$(filter-out -Wnull-dereference,$(WARNINGS))" \
	         check-unit
	+$(MAKE) --no-print-directory BUILD=$(BUILD)/sanitized SANITIZE="$(SANITIZERS)" \
	         HARDENING= OPTIMIZE="-O1 -g" WARNINGS="$(filter-out -Wnull-dereference,$(WARNINGS))" \
	         PROPERTY_COUNT=5000 check-property

# Each test is a process of its own, whose exit status valgrind turns red.
check-valgrind: $(UNIT_TESTS) ## unit tests under valgrind
	+@CK_DEFAULT_TIMEOUT=0 $(MAKE) --no-print-directory check-unit \
	  RUNNER="valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite"

check-property: $(PROPERTIES) ## random documents and edits
	@set -e; for test in $(PROPERTIES); do $$test --count $(PROPERTY_COUNT); done

# The one of the two that the program is built with anyway is not asked twice.
check-compilers: $(PROGRAM) ## build with gcc and with clang, warnings are errors
	+set -e; for compiler in $(filter-out $(CC),gcc $(CLANG)); do \
	  $(MAKE) --no-print-directory CC=$$compiler BUILD=$(BUILD)/$$compiler all; done

# Where no dockerd is but those that the tests start themselves.
check-cli: $(PROGRAM) ## the program's own face: help, errors, exit statuses, bad input
	HARDEN=$(abspath $(PROGRAM)) \
	  $(if $(filter 0,$(shell id -u)),unshare --mount --pid --fork --mount-proc) \
	  $(PYTHON) -m pytest -q -p no:cacheprovider tests/cli

FOR_HOSTS := $(PROGRAM) $(PACKAGE) $(addprefix $(BUILD)/,stepper nomemory.so oracle argv)

check-hosts: $(FOR_HOSTS) counted ## end to end on Debian 12, 13 and sid with real dockerds
	tests/coverage/zero $(BUILD)/coverage/counters harden
	PYTHON=$(PYTHON) BUILD=$(BUILD) COUNTED=$(abspath $(BUILD))/coverage tests/host/run

bases: ## the trees that test hosts are copies of, where they are not there yet
	$(PYTHON) tests/host/host build --jobs 1

torture: $(PROGRAM) $(BUILD)/stepper $(BUILD)/nomemory.so ## interrupt apply and rollback at every step; takes hours
	$(PYTHON) tests/torture/torture.py --build $(BUILD) --jobs $(TORTURE_JOBS) $(TORTURE)

$(BUILD)/oracle: tests/host/oracle.c $(LIBRARY) Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) $< $(LDFLAGS_ALL) $(LIBRARY) $(PKG_LIBS) -o $@

$(BUILD)/argv: tests/host/argv.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) $< -pie -o $@

$(BUILD)/nomemory.so: tests/torture/nomemory.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared $< -o $@

$(BUILD)/stepper: tests/torture/stepper.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) $< -pie -o $@

# Built once more, elsewhere and by somebody with other habits, it has to be the same.
check-package: $(PACKAGE) ## lintian, and whether the package is reproducible
	umask 077; TZ=Asia/Tokyo LANG=tr_TR.UTF-8 contrib/make-deb $(BUILD)/deb-again/elsewhere $(VERSION)
	set -e; for file in $(BUILD)/deb/*.dsc $(BUILD)/deb/*.tar.xz $(BUILD)/deb/*.deb; do \
	  cmp $$file $(BUILD)/deb-again/elsewhere/$${file##*/}; done
	lintian --allow-root --info --pedantic --fail-on error,warning,info,pedantic \
	  $(BUILD)/deb/*.changes

check-lint: ## format, clang-tidy, the direction of the rooms
	tests/lint/check

# Coverage ------------------------------------------------------------------------------------------

# What runs adds to $(BUILD)/coverage/counters: the unit tests and property tests, and, on one of the three
# suites, the harden on the test hosts. They begin from nothing each time they are run.
COUNTED_MAKE = $(MAKE) --no-print-directory BUILD=$(BUILD)/coverage COUNTED=1

# What another program has counted is not this one's.
counted:
	+$(COUNTED_MAKE) all
	@[ $(BUILD)/coverage/counters/harden -nt $(BUILD)/coverage/harden ] || \
	  tests/coverage/zero $(BUILD)/coverage/counters harden

check-coverage: counted ## unit tests and property tests, counted
	@tests/coverage/zero $(BUILD)/coverage/counters $(notdir $(UNIT_TESTS) $(PROPERTIES))
	+$(COUNTED_MAKE) PROPERTY_COUNT=2000 check-unit check-property

coverage-table:
	@$(PYTHON) tests/coverage/table.py $(BUILD)/coverage

coverage: check-coverage $(FOR_HOSTS) ## lines that tests run, by room; HOSTS= tells which on hosts
	tests/coverage/zero $(BUILD)/coverage/counters harden
	env --default-signal=INT HARDEN_COUNTED=$(abspath $(BUILD))/coverage $(PYTHON) -m pytest -q -p no:cacheprovider \
	  --suite trixie $(or $(HOSTS),tests/host)
	+@$(MAKE) --no-print-directory coverage-table

# Analysers -----------------------------------------------------------------------------------------

# Each looks at what has changed since it last said nothing. Off is what they cannot tell in code like this:
# they lose what an array owns that has grown, and do not know that outputs are set whenever 0 is returned.
# ASan, valgrind and the sweep of failing allocations look after leaks and null pointers. The annex K that one
# asks for is not in glibc.
SCAN_OFF := unix.Malloc core.NullDereference core.NonNullParamChecker \
            security.insecureAPI.DeprecatedOrUnsafeBufferHandling
SCAN_ON  := security nullability optin.portability valist.CopyToSelf valist.Unterminated
GCC_OFF  := malloc-leak null-argument null-dereference
# A quarter of the way it finds nine tenths of what it ever does, in a quarter of the time.
SCAN     := scan-build --use-cc=$(CLANG) -o $(BUILD)/scanned/reports --status-bugs \
            -analyzer-config max-nodes=40000 $(SCAN_ON:%=-enable-checker %) $(SCAN_OFF:%=-disable-checker %)
CPPCHECK := cppcheck --quiet --enable=warning,style,performance,portability --error-exitcode=1 \
            --suppressions-list=tests/lint/cppcheck --std=c11 -D_GNU_SOURCE -D__x86_64__ -Iinclude \
            --include=$(shell pkg-config --variable=includedir jansson)/jansson.h
ANALYSED := $(SOURCES:src/%.c=$(BUILD)/analysed/%.o)

check-analysers: check-scan check-cppcheck check-gcc-analyser ## scan-build, cppcheck and gcc -fanalyzer

# scan-build hides make's job slots, and only speaks of what it has built: after a finding all is built anew.
check-scan:
	@mkdir -p $(BUILD)/scanned
	env -u MAKEFLAGS -u MFLAGS $(SCAN) $(firstword $(MAKE)) -s -j$(shell nproc) BUILD=$(BUILD)/scanned \
	  HARDENING= OPTIMIZE=-O0 $(BUILD)/scanned/harden || { rm -rf $(BUILD)/scanned/obj; exit 1; }

check-cppcheck:
	@mkdir -p $(BUILD)/cppcheck
	$(CPPCHECK) -j$(shell nproc) --cppcheck-build-dir=$(BUILD)/cppcheck \
	  src $(addprefix tests/,bench coverage host property torture)

check-gcc-analyser: $(ANALYSED)

$(BUILD)/analysed/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(call say,SEE,$<)gcc $(CPPFLAGS_ALL) $(CFLAGS_ALL) -U_FORTIFY_SOURCE -O0 -MMD -MP -fanalyzer -Werror \
	  $(GCC_OFF:%=-Wno-analyzer-%) -c $< -o $@

# Fuzzing -------------------------------------------------------------------------------------------

# Compiled once for all of them. AFL++ has a compiler of its own, which instruments by itself.
FUZZ_LINK       = -fsanitize=fuzzer
FUZZ_INSTRUMENT = $(FUZZ_LINK)-no-link
FUZZ_COMPILE = $(CLANG) $(CPPFLAGS_ALL) -std=gnu11 -g -O2 -fno-omit-frame-pointer \
               -fsanitize=address,undefined -fno-sanitize-recover=all -MMD -MP
FUZZ_LIBRARY := $(BUILD)/fuzz/libharden.a
FUZZ_OBJECTS := $(SOURCES:src/%.c=$(BUILD)/fuzz/obj/%.o)
FUZZ_TREE    := $(BUILD)/fuzz/tree

$(BUILD)/fuzz/obj/core/builtin.o: $(PROFILES) $(TEXTS) $(SHELLS) $(CANARY)
$(BUILD)/fuzz/obj/cli/main.o: CPPFLAGS += -Dmain=harden_main -Wno-missing-prototypes

$(BUILD)/fuzz/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(call say,FUZZ,$<)$(FUZZ_COMPILE) $(FUZZ_INSTRUMENT) -c $< -o $@

$(FUZZ_LIBRARY): $(FUZZ_OBJECTS)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_LIBRARY) Makefile
	$(call say,FUZZ,$<)$(FUZZ_COMPILE) $(FUZZ_LINK) $< $(FUZZ_LIBRARY) $(PKG_LIBS) -o $@

$(FUZZ_TREE): tests/fuzz/tree.c $(FUZZ_LIBRARY) Makefile
	$(call say,FUZZ,$<)$(FUZZ_COMPILE) $< $(FUZZ_LIBRARY) $(PKG_LIBS) -o $@

fuzzers: $(FUZZERS) $(FUZZ_TREE)

# The same inputs each time: a search for new ones is a toss of a coin, which is nothing for CI to wait for
# and nothing that a change can be blamed for. That is `make fuzz`.
check-fuzz: $(FUZZERS) $(FUZZ_TREE) ## replay what the fuzzers have found, and some inputs more
	$(PYTHON) tests/fuzz/run check $(BUILD) $(patsubst fuzz_%,%,$(notdir $(FUZZERS))) tree

fuzz: $(FUZZ:%=$(BUILD)/fuzz/fuzz_%) ## fuzz every parser; TIME=1h each, JOBS=2, FUZZ="plan units"
	$(PYTHON) tests/fuzz/run fuzz $(BUILD) $(FUZZ) --time $(TIME) --jobs $(JOBS)

fuzz-merge: $(FUZZ:%=$(BUILD)/fuzz/fuzz_%) ## keep what `make fuzz` has found that reaches something new
	$(PYTHON) tests/fuzz/run merge $(BUILD) $(FUZZ)

fuzz-afl: ## AFL++ on the whole program, as root; TIME=1h
	+$(MAKE) --no-print-directory BUILD=$(BUILD)/afl CLANG=afl-clang-fast FUZZ_INSTRUMENT= \
	         $(BUILD)/afl/fuzz/tree
	$(PYTHON) tests/fuzz/run afl $(BUILD) --time $(TIME)

# Daily work ----------------------------------------------------------------------------------------

shell: $(PROGRAM) ## a shell on a real host with this harden; SUITE=bookworm, trixie or sid
	$(PYTHON) tests/host/host shell $(or $(SUITE),trixie)

bench: $(PROGRAM) $(BUILD)/floor $(BUILD)/timer ## measure on a real host, as ratios
	$(PYTHON) tests/bench/bench.py --build $(BUILD) --suite $(or $(SUITE),trixie) \
	  $(if $(DOCKER_BENCH),--docker-bench '$(DOCKER_BENCH)') $(if $(ANSIBLE),--ansible)

numbers: ## put what `make bench` measured last into the README
	contrib/bench-table $(BUILD)/bench.json README.md

screen: $(PROGRAM) $(COMPLETIONS) ## take the picture of the README anew, on a real host
	BUILD=$(BUILD) $(PYTHON) contrib/screen $(or $(SUITE),trixie) >$(BUILD)/screen.svg
	mv $(BUILD)/screen.svg contrib/doc/screen.svg

$(BUILD)/timer: tests/bench/timer.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) $< -pie -o $@

$(BUILD)/floor: tests/bench/floor.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) $< $(LDFLAGS_ALL) -Wl,--no-as-needed $(PKG_LIBS) -o $@

format: ## bring the sources into shape
	clang-format -i $(C_FILES)

lint: check-lint ## the same as check-lint

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | \
	  sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS="$$(printf '\t')" read -r name text; do \
	  printf '  %-16s %s\n' "$$name" "$$text"; done

-include $(wildcard $(addprefix $(BUILD)/,obj/*/*.d unit/*.d property/*.d analysed/*/*.d fuzz/*.d \
                                          fuzz/obj/*/*.d))
