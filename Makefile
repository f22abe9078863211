# Builds iohops out of tree, in build/. `make help` lists what can be made; V=1 shows the commands.
# Nothing here is a list of files: bpf/*.bpf.c, userspace/**/*.cpp and tests/unit/*.cpp are found.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   := build
V       ?= 0
export IOHOPS_BUILD := $(BUILD)

.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
# As many jobs as there are processors, unless told otherwise (make -j1).
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
# bpftool stands in sbin, which a plain user's PATH does not name.
export PATH := $(PATH):/usr/sbin:/sbin

Q    := $(if $(filter 1,$(V)),,@)
# $(call say,CXX,core/plan.o): the short line that stands for a command
say   = $(if $(filter 1,$(V)),,@printf '  %-4s %s\n' $(1) $(2);)

# ---- tools and flags. `=`, not `:=`: what asks pkg-config must run after $(DEPS_OK). --------------
CXX      := g++
CLANG     = $(or $(firstword $(foreach c,clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14,$(shell command -v $(c)))),clang)
BPFTOOL  := bpftool
PYTHON    = $(shell for p in /usr/bin/python3 python3; do $$p -c 'import jsonschema, pyte' 2>/dev/null && { echo $$p; exit; }; done; echo python3)
OPT      ?= -O2
WARNINGS := -Wall -Wextra -Wshadow -Werror
# -g1: names and lines, as a backtrace wants them; all of it (OPT="-O2 -g") takes a third longer.
CXXFLAGS := -std=c++20 -g1 $(OPT) $(WARNINGS) -ffile-prefix-map=$(CURDIR)=. \
            -Iuserspace -I. -I$(BUILD)/gen -DIOHOPS_VERSION='"$(VERSION)"'
MODULES  := libbpf libelf zlib libzstd fmt simdjson ncursesw libcap libsodium
LIBS      = $(LDFLAGS) $(shell $(PKG_CONFIG) --libs $(MODULES) 2>/dev/null || echo -lbpf -lelf -lz -lzstd -lfmt -lsimdjson -lncursesw -ltinfo -lcap -lsodium) -lpthread
# What unit tests of core and sinks link with: no libbpf, so that purity is proved by the linker.
PURE_LIBS = $(filter-out -lbpf -lelf,$(LIBS))

# For another machine: its compiler, and its libraries in a folder (make arm64 does it all).
#   make MACHINE=aarch64 CXX=aarch64-linux-gnu-g++ SYSROOT=... BUILD=build/arm64
SYSROOT ?=
PKG_CONFIG := pkg-config
ifneq ($(SYSROOT),)
TRIPLET  := $(MACHINE)-linux-gnu
CXXFLAGS += -isystem $(SYSROOT)/usr/include -isystem $(SYSROOT)/usr/include/$(TRIPLET)
LDFLAGS  += -L$(SYSROOT)/usr/lib/$(TRIPLET) -Wl,-rpath-link=$(SYSROOT)/usr/lib/$(TRIPLET)
PKG_CONFIG := PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/$(TRIPLET)/pkgconfig PKG_CONFIG_SYSROOT_DIR=$(SYSROOT) pkg-config
endif

# SANITIZE=...: with clang, into a build tree of its own (make sanitize, make fuzz).
SANITIZE ?=
ifneq ($(SANITIZE),)
CXXFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS  += -fsanitize=$(SANITIZE)
endif
# What clang warns of besides is not asked for here.
SANITIZED = $(MAKE) --no-print-directory CXX=$(subst clang,clang++,$(notdir $(CLANG))) OPT=-O1 WARNINGS=-Wall

MACHINE  := $(shell uname -m)
ARCH     := $(or $(patsubst aarch64,arm64,$(filter aarch64,$(MACHINE))),$(patsubst x86_64,x86,$(filter x86_64,$(MACHINE))),$(MACHINE))
BPFFLAGS := -target bpf -mcpu=v3 -O2 -g -Wall -Werror -D__TARGET_ARCH_$(ARCH) -I. \
            -fdebug-compilation-dir=. -ffile-prefix-map=$(CURDIR)=.

# ---- what there is ---------------------------------------------------------------------------------
LAYERS   := core sinks system cli
find_cpp  = $(sort $(shell find $(1) -name '*.cpp' 2>/dev/null))
MAIN     := $(wildcard userspace/main.cpp)
objects   = $(patsubst userspace/%.cpp,$(BUILD)/obj/%.o,$(call find_cpp,userspace/$(1)))
ARCHIVES := $(patsubst %,$(BUILD)/lib%.a,cli system sinks core)

SKELS    := $(BUILD)/gen/iohops.skel.h

UNIT_SRC  := $(sort $(wildcard tests/unit/*.cpp))
UNIT_HELP := $(filter-out %_test.cpp,$(UNIT_SRC))
UNIT_HOST := $(if $(UNIT_SRC),$(shell grep -lE '^\#include "(system|cli)/' $(filter %_test.cpp,$(UNIT_SRC))))
UNIT_PURE := $(filter-out $(UNIT_HELP) $(UNIT_HOST),$(UNIT_SRC))
test_objects = $(patsubst tests/%.cpp,$(BUILD)/obj/tests/%.o,$(1))
UNIT_BINS := $(if $(UNIT_PURE),$(BUILD)/unit) $(if $(UNIT_HOST),$(BUILD)/unit-host)

WORKLOADS := $(BUILD)/workloads/io
STREAMS := $(BUILD)/stress/streams
BENCH_BIN := $(patsubst tools/bench/%.cpp,$(BUILD)/bench/%,$(filter-out %/loops.cpp,$(wildcard tools/bench/*.cpp)))
OBJECT_TEST := $(BUILD)/object/load
# The object again, by every other clang of this machine: each makes different code, which the verifier
# must take too.
clang_major = $(firstword $(subst ., ,$(shell $(CLANG) -dumpversion)))
OTHER_CLANGS = $(filter-out $(clang_major),$(foreach v,14 15 16 17 18 19 20 21,$(if $(shell command -v clang-$(v)),$(v))))
OTHER_OBJECTS = $(patsubst %,$(BUILD)/clang-%/bpf/linked/iohops.bpf.o,$(OTHER_CLANGS))

FUZZERS := $(patsubst tests/fuzz/%.cpp,$(BUILD)/fuzz/%,$(filter-out tests/fuzz/fuzz.cpp,$(sort $(wildcard tests/fuzz/*.cpp))))

# VM=1: in a guest, too or instead.
VM_WANTED := $(filter-out 0,$(VM))

DEPS_OK  := $(BUILD)/deps-build.ok
CHECK_OK := $(BUILD)/deps-check.ok

# ---- what can be made ------------------------------------------------------------------------------
.PHONY: all deb arm64 arm64-tests lib bpf demo check unit object live stress vm vm-all vm-kernels vm-pin vm-arm64 budget fuzz fuzzers build-fuzzers sanitize traced coverage bench bless format tidy install uninstall help check-layers clean FORCE

all: $(if $(MAIN),$(BUILD)/iohops,lib) ## build build/iohops (missing packages are installed or named)
arm64:                                 ## cross-compile into build/arm64, with Debian's libraries for it
	$(Q)tools/packages build arm64
	$(Q)sysroot=$$(tests/vm/arm64-sysroot) && $(MAKE) --no-print-directory MACHINE=aarch64 \
	  CXX=aarch64-linux-gnu-g++ SYSROOT=$$sysroot BUILD=$(BUILD)/arm64 all arm64-tests
arm64-tests: $(WORKLOADS) $(OBJECT_TEST)

lib: $(ARCHIVES)                       ## build the layers without linking the program
bpf: $(SKELS)                          ## build the BPF object and its skeleton

demo: all $(BUILD)/workloads/io        ## trace a small workload by its PID and print the report; VM=1: in a guest
	$(Q)tools/demo/$(if $(VM_WANTED),guest,run) $(BUILD)/iohops $(BUILD)/workloads/io

check: all $(if $(VM_WANTED),vm-kernels) $(CHECK_OK) $(UNIT_BINS) $(OBJECT_TEST) $(OTHER_OBJECTS) $(WORKLOADS) $(STREAMS) build-fuzzers ## every test that this host can run; VM=1: and make vm
	$(Q)tools/check-layers $(BUILD)/obj
	$(Q)$(PYTHON) tools/check-includes
	$(Q)$(PYTHON) tests/run unit object fuzz live $(if $(VM_WANTED),vm)

unit: $(CHECK_OK) $(UNIT_BINS)         ## unit and golden tests only
	$(Q)$(PYTHON) tests/run unit

object: $(CHECK_OK) $(OBJECT_TEST) $(OTHER_OBJECTS) ## load every BPF program through this kernel's verifier
	$(Q)$(PYTHON) tests/run object

live: all $(CHECK_OK) $(OBJECT_TEST) $(WORKLOADS) $(STREAMS) ## trace real programs on this kernel (T=NAME: only those that match)
	$(Q)$(PYTHON) tests/run live $(T)

stress: all $(CHECK_OK) $(OBJECT_TEST) $(WORKLOADS) $(STREAMS) ## the tests of tests/stress in full: hours (T=NAME, TIMES=N instead of their own counts)
	$(Q)TIMES=$(TIMES) $(PYTHON) tests/run stress $(T)

# Downloads while others compile. What cannot be had is told by the test that wants it.
vm-kernels: $(CHECK_OK)
	@mkdir -p $(BUILD)/vm
	$(call say,VM,kernels)tests/vm/run --fetch >$(BUILD)/vm/fetch.log 2>&1 || true

vm: all $(WORKLOADS) $(OBJECT_TEST)    ## load and trace on other kernels, in QEMU (KERNELS="6.1 newest:iommu")
	$(Q)tests/vm/run $(KERNELS)

vm-all: all $(WORKLOADS) $(OBJECT_TEST) ## on every kernel that Debian serves, in every setup; rewrites the README's table
	$(Q)tests/vm/run --all; result=$$?; tests/vm/support; exit $$result

vm-pin:                                ## accept the kernels that Debian serves today (tests/vm/kernels)
	$(Q)tests/vm/fetch --pin

vm-arm64: arm64                        ## the same on arm64
	$(Q)tools/packages vm
	$(Q)IOHOPS_BUILD=$(BUILD)/arm64 STRIP=aarch64-linux-gnu-strip \
	  tests/vm/run $(or $(KERNELS),arm64-6.12 arm64-16k-6.12)

budget: $(OBJECT_TEST) $(OTHER_OBJECTS) ## accept what the verifier walks for each program today, on these kernels
	$(Q)tools/packages vm
	$(Q)tests/object/budget $(or $(KERNELS),5.10 6.1 6.12 newest)

fuzzers: $(FUZZERS)
# What a live test needs of a build tree.
traced: all $(UNIT_BINS) $(OBJECT_TEST) $(WORKLOADS) $(STREAMS)
# The words are those of live tests in which all of the collector's threads work.
sanitize: $(CHECK_OK)                  ## tests with the sanitizers of addresses, undefined behaviour and threads (T="WORD...")
	$(Q)tools/packages fuzz
	+$(Q)$(SANITIZED) BUILD=$(BUILD)/asan SANITIZE=address,undefined,fuzzer-no-link traced
	+$(Q)$(SANITIZED) BUILD=$(BUILD)/tsan SANITIZE=thread traced
	$(Q)result=0; for tree in asan tsan; do \
	  export IOHOPS_BUILD=$(BUILD)/$$tree IOHOPS_SANITIZED=1; \
	  for part in unit $(patsubst %,"live %",$(or $(T),recording top overload)); do \
	    echo "$$tree: $$part"; $(PYTHON) tests/run $$part || result=1; \
	  done; \
	done; exit $$result
coverage: $(CHECK_OK)                  ## lines of the pure core that the unit tests run, file by file
	$(Q)tools/packages coverage
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/coverage OPT="-O0 --coverage" LDFLAGS=--coverage $(BUILD)/coverage/unit
	$(Q)tools/coverage $(BUILD)/coverage
fuzz: build-fuzzers                    ## hostile input, made up: FUZZ_SECONDS (3600) for each target, all at once
	$(Q)$(PYTHON) tests/fuzz/run $(BUILD)/asan/fuzz $(or $(FUZZ_SECONDS),3600)
# Where libFuzzer cannot be had, tests/run says so.
build-fuzzers: $(CHECK_OK)
	+$(Q)! tools/packages fuzz || $(SANITIZED) BUILD=$(BUILD)/asan SANITIZE=address,undefined,fuzzer-no-link fuzzers

bench: all $(BENCH_BIN)               ## what tracing costs here, beside other tools (ARGS=--help; tools/packages peers)
	$(Q)tools/packages bench
	$(Q)$(PYTHON) tools/bench/run.py $(ARGS)

bless: $(UNIT_BINS)                    ## accept today's output as the goldens
	$(Q)for t in $(UNIT_BINS); do BLESS=1 $$t --gtest_brief=1 || true; done
	$(Q)git diff --stat -- tests/golden

format: ## clang-format on the C++ (bpf/ keeps the kernel's style)
	$(Q)tools/packages format
	$(Q)clang-format -i $(shell find userspace tests tools -name '*.cpp' -o -name '*.hpp')

TIDY_OK := $(patsubst userspace/%.cpp,$(BUILD)/tidy/%.ok,$(call find_cpp,userspace))
tidy: $(TIDY_OK)                       ## clang-tidy on the userspace sources that have changed since it took them
# Of the object: its dependencies are known. What is generated is no matter of ours.
$(BUILD)/tidy/%.ok: $(BUILD)/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	$(call say,TIDY,$*.cpp)clang-tidy --quiet --warnings-as-errors='*' userspace/$*.cpp -- \
	  $(filter-out -Werror -I$(BUILD)/gen,$(CXXFLAGS)) -isystem $(BUILD)/gen 2>$@.new || { cat $@.new; rm $@.new; exit 1; } && mv $@.new $@

check-layers: lib ## prove from the depfiles that dependencies point one way
	$(Q)tools/check-layers $(BUILD)/obj

SHARE := $(DESTDIR)$(PREFIX)/share
DEB_ARCH = $(shell dpkg --print-architecture)
MAN := $(SHARE)/man/man1/iohops.1
COMPLETIONS := bash:bash-completion/completions/iohops zsh:zsh/site-functions/_iohops fish:fish/vendor_completions.d/iohops.fish

install: all ## into $(DESTDIR)$(PREFIX), with its manual page and shell completions
	$(call say,INST,$(DESTDIR)$(PREFIX)/bin/iohops)install -D -s -m 755 $(BUILD)/iohops $(DESTDIR)$(PREFIX)/bin/iohops
	$(Q)install -D -m 644 man/iohops.1 $(MAN)
	$(Q)for c in $(COMPLETIONS); do \
	  to=$(SHARE)/$${c#*:}; mkdir -p $$(dirname $$to); \
	  $(BUILD)/iohops completion $${c%%:*} >$$to || { rm -f $$to; exit 1; }; \
	done

uninstall: ## remove what install put there
	$(Q)rm -f $(DESTDIR)$(PREFIX)/bin/iohops $(MAN) $(foreach c,$(COMPLETIONS),$(SHARE)/$(lastword $(subst :, ,$(c))))

# A failed step leaves no half of a package.
deb: all ## a Debian package of what install puts there, in build/
	$(Q)tools/packages deb
	$(Q)rm -rf $(BUILD)/deb $(BUILD)/iohops_*.deb
	$(Q)$(MAKE) --no-print-directory install DESTDIR=$(abspath $(BUILD))/deb PREFIX=/usr
	$(call say,DEB,iohops_$(VERSION).deb)tools/deb $(abspath $(BUILD))/deb $(VERSION) $(BUILD)/iohops_$(VERSION)_$(DEB_ARCH).deb

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

clean: ## remove build/
	$(Q)rm -rf $(BUILD)

# ---- packages, and stamps that change only when their text does -----------------------------------
$(BUILD)/deps-%.ok: tools/packages
	$(Q)tools/packages build $(filter-out build,$*)
	$(Q)mkdir -p $(@D) && touch $@

# $(call write_if_changed,TEXT)
write_if_changed = @mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(1))' >$@

$(BUILD)/flags.cxx: FORCE | $(DEPS_OK)
	$(call write_if_changed,$(shell $(CXX) -dumpfullversion 2>/dev/null || $(CXX) -dumpversion) $(CXXFLAGS))
$(BUILD)/flags.bpf: FORCE | $(DEPS_OK)
	$(call write_if_changed,$(shell $(CLANG) -dumpversion) $(BPFFLAGS))
$(BUILD)/list.%: FORCE
	$(call write_if_changed,$(call objects,$*))
$(BUILD)/list.unit: FORCE
	$(call write_if_changed,$(UNIT_PURE) : $(UNIT_HOST) : $(UNIT_HELP))

# ---- BPF: one object of all layers, without what a debugger wants, then a skeleton -----------------
$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BUILD)/flags.bpf
	@mkdir -p $(@D)
	$(call say,BPF,$*.bpf.o)$(CLANG) $(BPFFLAGS) -MD -MP -MF $(@:.o=.d) -c $< -o $@
$(BUILD)/bpf/linked/%.bpf.o: $(BUILD)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(call say,LINK,$*.bpf.o)$(BPFTOOL) gen object $@ $<

$(BUILD)/gen/%.skel.h: $(BUILD)/bpf/linked/%.bpf.o
	@mkdir -p $(@D)
	$(call say,SKEL,$*.skel.h)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

# ---- C++ -------------------------------------------------------------------------------------------
# What every file may include anyway is parsed once, before it. That a file includes what it needs is still
# so: tools/check-includes asks, and other machines (make arm64) are compiled for without this, as by `make PCH=`.
PCH ?= $(if $(SYSROOT),,yes)
PCH_CXX  := $(if $(PCH),$(BUILD)/pch/userspace.hpp)
PCH_TEST := $(if $(PCH),$(BUILD)/pch/tests.hpp)
# For ccache, which may then keep what was compiled so.
export CCACHE_SLOPPINESS := pch_defines,time_macros
# With it, g++ 12 no longer knows system headers as such and tells its false alarms about std::string.
before  = $(if $(1),-include $(1) $(if $(findstring clang,$(CXX)),,-fpch-preprocess $(FALSE_ALARMS:%=-Wno-%)))
FALSE_ALARMS := array-bounds stringop-overflow stringop-overread restrict
compile = $(call say,CXX,$(patsubst $(BUILD)/obj/%,%,$@))$(CXX) $(CXXFLAGS) $(call before,$(PCH_CXX)) -MD -MP -c $< -o $@
# Tests run once and are compiled each time: without optimisation they take a third of the time.
test_flags = $(filter-out -O%,$(CXXFLAGS)) -O0

# The copy is what is read where the compiler cannot use the other.
precompile = $(call say,PCH,$<)cp $< $(@:.gch=) && $(CXX) $(1) -x c++-header -MD -MP $(@:.gch=) -o $@
$(BUILD)/pch/userspace.hpp.gch: userspace/precompiled.hpp $(BUILD)/flags.cxx
	@mkdir -p $(@D)
	$(call precompile,$(CXXFLAGS))
$(BUILD)/pch/tests.hpp.gch: tests/precompiled.hpp $(BUILD)/flags.cxx | $(CHECK_OK)
	@mkdir -p $(@D)
	$(call precompile,$(test_flags))

$(BUILD)/obj/tests/%.o: tests/%.cpp $(BUILD)/flags.cxx | $(CHECK_OK) $(PCH_TEST:=.gch)
	@mkdir -p $(@D)
	$(call say,CXX,tests/$*.o)$(CXX) $(test_flags) $(call before,$(PCH_TEST)) -MD -MP -c $< -o $@
$(BUILD)/obj/%.o: userspace/%.cpp $(BUILD)/flags.cxx | $(PCH_CXX:=.gch)
	@mkdir -p $(@D)
	$(compile)
# These run once, and half of their time would go into optimising CLI11.
$(BUILD)/obj/cli/parse.o $(BUILD)/obj/cli/grammar.o: private CXXFLAGS += -O1
# Only system and cli may include a skeleton; the depfile knows it after the first build.
# What the fuzz targets take of cli needs none.
$(call objects,system) $(call objects,cli): | $(if $(filter fuzzers,$(MAKECMDGOALS)),,$(SKELS))

define archive_rule
$(BUILD)/lib$(1).a: $(call objects,$(1)) $(BUILD)/list.$(1)
	$$(call say,AR,lib$(1).a)rm -f $$@ && ar rcs $$@ $(call objects,$(1))
endef
$(foreach layer,$(LAYERS),$(eval $(call archive_rule,$(layer))))

$(BUILD)/iohops: $(BUILD)/obj/main.o $(ARCHIVES)
	$(call say,LINK,iohops)$(CXX) $(OPT) -g $^ $(LIBS) -o $@

# ---- tests -----------------------------------------------------------------------------------------
GTEST = $(shell pkg-config --libs gtest_main 2>/dev/null || echo -lgtest_main -lgtest)

$(BUILD)/libtest.a: $(call test_objects,$(UNIT_HELP)) $(BUILD)/list.unit
	$(call say,AR,libtest.a)rm -f $@ && ar rcs $@ $(call test_objects,$(UNIT_HELP))
$(BUILD)/unit: $(call test_objects,$(UNIT_PURE)) $(BUILD)/libtest.a $(BUILD)/libsinks.a $(BUILD)/libcore.a
	$(call say,LINK,unit)$(CXX) $^ $(GTEST) $(PURE_LIBS) -o $@
$(BUILD)/unit-host: $(call test_objects,$(UNIT_HOST)) $(BUILD)/libtest.a $(ARCHIVES)
	$(call say,LINK,unit-host)$(CXX) $^ $(GTEST) $(LIBS) -o $@

$(BUILD)/obj/tests/workloads/%.o: tests/workloads/%.cpp $(BUILD)/flags.cxx | $(PCH_CXX:=.gch)
	@mkdir -p $(@D)
	$(compile)
$(BUILD)/workloads/io: $(call test_objects,$(wildcard tests/workloads/*.cpp))
	@mkdir -p $(@D)
	$(call say,LINK,workloads/io)$(CXX) $^ $(LDFLAGS) -lpthread -o $@

$(BUILD)/stress/streams: $(BUILD)/obj/tests/stress/streams.o $(BUILD)/obj/tests/unit/json_trace.o $(BUILD)/libsinks.a $(BUILD)/libcore.a
	@mkdir -p $(@D)
	$(call say,LINK,stress/streams)$(CXX) $^ $(PURE_LIBS) -o $@

OBJECT_OBJ := $(call test_objects,$(wildcard tests/object/*.cpp))
$(OBJECT_OBJ): private CXXFLAGS += -DIOHOPS_BPF_CLANG='"$(clang_major)"'
$(OBJECT_OBJ): $(BUILD)/flags.bpf | $(SKELS)
$(BUILD)/object/load: $(OBJECT_OBJ) $(BUILD)/libsystem.a $(BUILD)/libcore.a
	@mkdir -p $(@D)
	$(call say,LINK,object/load)$(CXX) $^ $(LIBS) -o $@
$(BUILD)/clang-%/bpf/linked/iohops.bpf.o: FORCE
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/clang-$* CLANG=clang-$* $@

# ---- fuzzing: clang, in a tree with SANITIZE -------------------------------------------------------
# What a target does runs a million times.
$(BUILD)/obj/tests/fuzz/%.o: tests/fuzz/%.cpp $(BUILD)/flags.cxx | $(PCH_CXX:=.gch)
	@mkdir -p $(@D)
	$(compile)
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/fuzz.o $(BUILD)/obj/tests/unit/json_trace.o $(BUILD)/obj/cli/conversion.o $(BUILD)/obj/cli/units.o $(BUILD)/obj/system/random.o $(BUILD)/libsinks.a $(BUILD)/libcore.a
	@mkdir -p $(@D)
	$(call say,LINK,fuzz/$*)$(CXX) -fsanitize=fuzzer $^ $(PURE_LIBS) -o $@

# ---- bench: its own little BPF object and skeleton -------------------------------------------------
$(BUILD)/bench/%.bpf.o: tools/bench/%.bpf.c $(BUILD)/flags.bpf
	@mkdir -p $(@D)
	$(call say,BPF,bench/$*.bpf.o)$(CLANG) $(BPFFLAGS) -MD -MP -MF $(@:.o=.d) -c $< -o $@
$(BUILD)/gen/bench/%.skel.h: $(BUILD)/bench/%.bpf.o
	@mkdir -p $(@D)
	$(call say,SKEL,bench/$*.skel.h)$(BPFTOOL) gen skeleton $< name $*_bpf >$@
$(BUILD)/obj/bench/%.o: tools/bench/%.cpp $(BUILD)/flags.cxx | $(PCH_CXX:=.gch) $(patsubst tools/bench/%.bpf.c,$(BUILD)/gen/bench/%.skel.h,$(wildcard tools/bench/*.bpf.c))
	@mkdir -p $(@D)
	$(compile)
$(BUILD)/bench/loop: $(BUILD)/obj/bench/loops.o
$(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LINK,bench/$*)$(CXX) $(filter %.o,$^) $(filter %.a,$^) $(LIBS) -o $@

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
