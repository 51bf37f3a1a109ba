# make demo   the whole loop on the bundled sample, with times
# make test   formatters, lints, type checks and all tests
# make test-ray  the tests with a real Ray, which takes 1.4 GB of memory
# make test-anywhere  the sample's training on an ssh host, in Slurm and in Docker: the same bytes as here
# make run    the window
# make install  both programs and what they need, into ~/.local or PREFIX
# make dist   the .deb (and the AppImage where its tools can be had), into dist/
# Each sets up what it needs, below $(LAPWING_CACHE). Tools that are on the machine already are used as they are.

export LAPWING_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lapwing
export CARGO_TARGET_DIR ?= $(LAPWING_CACHE)/target

PREFIX ?= $(HOME)/.local

SHELL := /bin/bash -o pipefail
SETUP := tests/setup
WITH := $(SETUP)/with
DISPLAYED := $(or $(DISPLAY),$(WAYLAND_DISPLAY))
UI_SOURCES = $(shell find ui -path ui/node_modules -prune -o -path ui/dist -prune -o -type f -print)
UI_PACKAGES := ui/node_modules/.package-lock.json
UI := ui/dist/index.html
# The command line alone never links the window, so a machine without a display needs no WebKitGTK.
CLI := cargo build --quiet --no-default-features --bin lapwing
WINDOW := cargo build --features custom-protocol --bins

.DEFAULT_GOAL := help
.PHONY: help demo test test-ray test-anywhere run install dist check clean setup-base setup-window setup-docker setup-cluster setup-peers setup-driver
.DELETE_ON_ERROR:
.NOTPARALLEL:

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: setup-base setup-docker $(if $(DISPLAYED),setup-window $(UI))
	@echo 'setup: building Lapwing (minutes the first time)' >&2
	@$(WITH) $(if $(DISPLAYED),$(WINDOW) --quiet,$(CLI))
	@$(WITH) $(CARGO_TARGET_DIR)/debug/lapwing demo $(DEMO)

run: setup-base setup-window $(UI)
	$(WITH) $(WINDOW)
	$(WITH) $(CARGO_TARGET_DIR)/debug/lapwing-desktop $(PROJECT)

test: check
	$(WITH) cargo test --workspace --features custom-protocol

# Ray runs in a network namespace of its own, which takes `unshare` and `ip`.
test-ray: setup-base
	@$(SETUP)/python.sh peers ray
	$(WITH) cargo test --no-default-features --test lapwing -- --ignored --nocapture ray::

test-anywhere: setup-base setup-docker setup-cluster
	$(WITH) cargo test --no-default-features --test lapwing -- --ignored --nocapture anywhere::

# Everything that is not a test of behaviour: cheap first, so that a slip is known early.
check: setup-base setup-window setup-docker setup-cluster setup-peers setup-driver $(UI_PACKAGES)
	$(WITH) cargo fmt --all --check
	$(WITH) ruff check --quiet --config $(SETUP)/ruff.toml src-tauri tests
	bash -n $(SETUP)/*.sh $(SETUP)/with .ci/run
	cd ui && ../$(WITH) npm run --silent lint
	cd ui && ../$(WITH) npm run --silent typecheck
	cd ui && ../$(WITH) npm test --silent
	$(MAKE) --no-print-directory $(UI)
	$(WITH) cargo clippy --workspace --all-targets --features custom-protocol -- -D warnings
	PYTHONDONTWRITEBYTECODE=1 $(LAPWING_CACHE)/venvs/peers/bin/python src-tauri/crates/app/sample/check.py

# Tauri's bundler makes the packages; the AppImage wants helpers from the network, and is left out, aloud, without them.
dist: setup-base setup-window $(UI)
	install -D $(LAPWING_CACHE)/onnxruntime/libonnxruntime.so dist/lib/libonnxruntime.so
	@# The bundler takes the window alone; the command line goes in as a file. The same features: built once.
	$(WITH) cargo build --release --bins --features desktop,tauri/custom-protocol
	install -D $(CARGO_TARGET_DIR)/release/lapwing dist/bin/lapwing
	$(WITH) ui/node_modules/.bin/tauri build --ci --features desktop --bundles deb
	@# The bundler once took the command line for the window.
	$(CARGO_TARGET_DIR)/release/lapwing-desktop --version | grep '^lapwing-desktop '
	cp $(CARGO_TARGET_DIR)/release/bundle/deb/*.deb dist/
	@if $(WITH) ui/node_modules/.bin/tauri build --ci --features desktop --bundles appimage >$(LAPWING_CACHE)/appimage.log 2>&1; then \
	  cp $(CARGO_TARGET_DIR)/release/bundle/appimage/*.AppImage dist/; \
	else \
	  echo 'dist: no AppImage, its tools cannot be had here (see $(LAPWING_CACHE)/appimage.log)' >&2; \
	fi
	@find dist -maxdepth 1 \( -name '*.deb' -o -name '*.AppImage' \) -exec ls -lh {} +

# Where programs look beside themselves: ../lib/lapwing.
install: setup-base setup-window $(UI)
	$(WITH) cargo build --release --bins --features desktop,tauri/custom-protocol
	install -D -t $(PREFIX)/bin $(CARGO_TARGET_DIR)/release/lapwing $(CARGO_TARGET_DIR)/release/lapwing-desktop
	install -D -t $(PREFIX)/lib/lapwing $(LAPWING_CACHE)/onnxruntime/libonnxruntime.so
	rm -rf $(PREFIX)/lib/lapwing/ui && cp -r ui/dist $(PREFIX)/lib/lapwing/ui
	@command -v uv >/dev/null || install -D -t $(PREFIX)/bin $(LAPWING_CACHE)/tools/bin/uv
	@echo 'installed in $(PREFIX)/bin$(if $(findstring :$(PREFIX)/bin:,:$(PATH):),, (not on PATH: add it))'

clean:
	rm -rf ui/dist dist

setup-base:
	@$(SETUP)/packages.sh base
	@$(SETUP)/rust.sh
	@$(SETUP)/python.sh tools

setup-window:
	@$(SETUP)/packages.sh window
	@$(SETUP)/node.sh

setup-docker:
	@$(SETUP)/packages.sh docker || echo 'setup: no Docker engine can be installed' >&2
	@$(SETUP)/docker.sh

setup-cluster:
	@$(SETUP)/packages.sh cluster || echo 'setup: no ssh server or Slurm can be installed: their tests are left out' >&2
	@$(SETUP)/packages.sh registry
	@$(SETUP)/kubectl.sh

setup-peers:
	@$(SETUP)/python.sh peers evidently airflow kfp huggingface storage
	@$(SETUP)/azurite.sh

setup-driver: setup-base
	@$(SETUP)/driver.sh

$(UI_PACKAGES): ui/package.json ui/package-lock.json | setup-window
	@# Not `npm ci`: it refuses a lock that lacks other platforms' optional parts, which some registries do not offer.
	cd ui && ../$(WITH) npm install --no-save --no-audit --no-fund
	@touch $@

$(UI): $(UI_PACKAGES) $(UI_SOURCES)
	cd ui && ../$(WITH) npm run --silent build
	@touch $@
