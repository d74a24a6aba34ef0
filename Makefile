# SPDX-License-Identifier: GPL-2.0-only
#
# Build and test vsockdev. The module is built for one kernel at a time, in a
# folder of links to the sources, so that several kernels never share objects.

KDIR    ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
		$(shell ls -dv /lib/modules/*/build 2>/dev/null | tail -n 1))
KDIR    := $(KDIR)
KVER    := $(shell cut -s -d '"' -f 2 \
		'$(KDIR)/include/generated/utsrelease.h' 2>/dev/null)
# A kernel that is a program is an architecture of its own.
KARCH   := $(if $(shell grep -s '^CONFIG_UML=y' \
		'$(KDIR)/include/config/auto.conf'),ARCH=um)
KERNELS ?= 6.1 6.12 7.2
TESTS   ?=

BUILD   := $(CURDIR)/build
MODULE  := $(BUILD)/module-$(KVER)
ROOMS   := Kbuild $(wildcard drivers include uapi)
TOOLS   := $(patsubst %/Makefile,%,$(wildcard $(addsuffix /Makefile, \
		tools/lib/vsockdev tools/vsockdev tools/host)))
GUEST   := tools/testing/guest
SETUP   := tools/testing/setup

# One build at a time in a folder, whoever asks.
LOCK     = mkdir -p $(BUILD) && flock $(BUILD)/lock

.DEFAULT_GOAL := all
MAKEFLAGS += -j$(shell nproc)

all: module tools ## build the module for KDIR and the tools, into build/
	cp -p $(MODULE)/vsockdev.ko $(BUILD)/

module: $(MODULE) ## build only the module, into build/module-VERSION/
	+$(LOCK) $(MAKE) -C $(KDIR) $(KARCH) M=$(MODULE) \
		CONFIG_DEBUG_INFO_BTF_MODULES= \
		VSOCKDEV_TESTS=$(VSOCKDEV_TESTS) modules

# With y the module has what tests need besides (see Kbuild). Their scripts ask
# for it; it is never installed.
VSOCKDEV_TESTS  := n
modules_install: override VSOCKDEV_TESTS := n

# Links, not copies: an edit is seen at once, and removed files vanish.
$(MODULE): FORCE
	$(if $(KVER),,$(error No kernel headers found: run "make setup", or name \
		them with KDIR=))
	@mkdir -p $@
	@find $@ -xtype l -delete
	@cp -rsf $(abspath $(ROOMS)) $@/

tools: ## build only the library and the tools
	+for dir in $(TOOLS); do \
		$(LOCK) $(MAKE) -C "$$dir" O=$(BUILD) || exit; \
	done

modules_install: module ## install the module for the kernel of KDIR
	+$(MAKE) -C $(KDIR) M=$(MODULE) modules_install

install: tools ## install the tool, its manual and the library: PREFIX, DESTDIR
	+$(MAKE) -C tools/packaging O=$(BUILD) install

setup: ## install with apt whatever the other targets need
	$(SETUP) build guest demo style fuzz interop bench source-6.12 source-7.2

guest: ## open a shell in a guest: KERNEL=6.1, 6.12, 7.2, uml, debug or kcsan
	$(SETUP) build guest
	$(GUEST)/build-kernel $(KERNEL)
	$(GUEST)/run $(KERNEL:%=--kernel %) --shell

demo: ## show the driver at work in a guest, in plain words
	$(SETUP) build guest demo
	tools/testing/demo/demo

check: ## run all tests: KERNELS="6.1 6.12 7.2", TESTS="name ..."
	$(SETUP) build guest
	$(GUEST)/build-kernel $(KERNELS)
	$(GUEST)/check --kernels "$(KERNELS)" --tests "$(TESTS)"

kunit: KERNEL ?= uml
kunit: ## run the KUnit suites, within seconds: KERNEL=uml, 7.2, debug or kcsan
	$(SETUP) build guest
	$(GUEST)/build-kernel $(KERNEL)
	$(GUEST)/kunit --kernel $(KERNEL) --params "$(PARAMS)"

coverage: KERNEL ?= debug
coverage: ## which lines do the tests reach? KERNEL=debug, TESTS="name ..."
	$(SETUP) build guest
	$(GUEST)/build-kernel $(KERNEL)
	tools/testing/coverage --kernel $(KERNEL) --tests "$(TESTS)"

check-all: KERNELS := 6.1 6.12 7.2 uml debug kcsan
check-all: check ## the same on all kernels there are

interop: ## hosts that others wrote, and ours: a table. HOSTS="name ..."
	$(SETUP) build guest interop
	$(GUEST)/build-kernel $(KERNELS)
	tools/testing/interop/check --kernels "$(KERNELS)" \
		$(if $(HOSTS),--hosts "$(HOSTS)")

interop-selftests: ## what of all tests vhost-device-vsock can do
	$(SETUP) build guest interop
	$(GUEST)/build-kernel $(KERNELS)
	$(GUEST)/check --host vhost-device-vsock \
		--kernels "$(KERNELS)" --tests "$(TESTS)"

fuzz: KERNEL ?= debug
fuzz: ## fuzz the pure rooms and a guest: FUZZ_SECONDS=, FUZZ_PACKETS=, KERNEL=
	$(SETUP) build guest fuzz
	$(GUEST)/build-kernel $(KERNEL)
	tools/testing/fuzz/run $(KERNEL)

BENCH ?= --bed tcg,uml,vhost-device
bench: ## measure beside AF_VSOCK, half an hour: BENCH="--bed tcg1 --keys rtt_1"
	$(SETUP) build guest bench interop
	$(GUEST)/build-kernel uml
	tools/bench/bench $(BENCH)

bench-plot: ## draw build/bench.json as build/bench.svg
	$(SETUP) bench
	tools/bench/plot $(BUILD)/bench.json $(BUILD)/bench.svg

style: ## checkpatch, sparse, W=1, shellcheck, docutils, codespell, all strict
	$(SETUP) build style
	tools/testing/style

kernels: ## build the kernels that tests boot, into the cache: KERNELS=
	$(SETUP) build
	$(GUEST)/build-kernel $(KERNELS)

clean: ## remove build/
	rm -rf $(BUILD)

help: ## list these targets
	@sed -n 's/^\([a-z_-]*\):.*## /\1\t/p' Makefile | expand -t 18

FORCE:
.PHONY: FORCE all module tools modules_install install setup guest demo check \
	check-all kunit coverage fuzz interop interop-selftests bench \
	bench-plot style kernels clean help
