# The short front of the build; `make help` lists what there is. tools/setup brings what is missing on a bare Debian.
PREFIX ?= /usr/local

build:
	@tools/setup build
	@tools/build release

run: build
	@exec tools/run $(ARGS)

test:
	@tools/setup build test
	@exec tools/test

check:
	@tools/setup build test
	@exec tools/check

format:
	@tools/setup test
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

fuzz:
	@tools/setup build test
	@exec tools/fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(TARGETS)

coverage:
	@tools/setup build test
	@exec tools/coverage

install: build
	@meson configure build -Dprefix=$(PREFIX)
	@meson install -C build

clean:
	@rm -rf build build-*

help:
	@echo 'make                  build/limen and build/shop (release flags)'
	@echo 'make run ARGS="..."   build, then run the shop on http://127.0.0.1:8080, and the payments sandbox beside it'
	@echo 'make test             every check and every test; tools/test PART runs one part'
	@echo 'make check            both compilers, format, clang-tidy, layers; no tests'
	@echo 'make format           clang-format over all tracked C'
	@echo 'make fuzz SECONDS=60  every fuzz target (or TARGETS="json http1") for this long each'
	@echo 'make coverage         lines that the tests reach, in build-coverage/report.html'
	@echo 'make install PREFIX=/usr/local'
	@echo 'make clean'

.PHONY: build run test check format fuzz coverage install clean help
