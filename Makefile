# make run    fetch what is missing, build, open the window (or draft a sample without a display)
# make test   the same set-up, then vet and every test with the real engine and sample model
# make build | race | cross | lint | clean
# make cuda-test   the CUDA device on a stand-in for driver and card; make ptx: its kernels compiled again and compared
# make gpu-check   folders to try a real card with: bin/gpu-check/check.sh, bin/gpu-learn/learn.sh
#
# Engine and models lie in the program's data folder (LONGHAND_HOME moves it), so
# that they are fetched once. Tests read them there; what tests write goes into
# .longhand. The second time nothing is installed or fetched: it works offline.
SHELL   := /usr/bin/env bash
DATA    := $(or $(LONGHAND_HOME),$(or $(XDG_DATA_HOME),$(HOME)/.local/share)/longhand)
ENGINE  := $(DATA)/lib/llama-v0.5.0/cpu
SAMPLE  := $(DATA)/models/SmolLM2-135M-Instruct.Q4_1.gguf
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILD   := go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
CLI     := LONGHAND_HOME="$(DATA)" bin/longhand-cli
WORDS   := 600

CUDA    := $(CURDIR)/.longhand/cuda
SYSTEM  := $(shell uname -s)
WITH_CUDA := CGO_CFLAGS="-O2 -I$(CURDIR)/rl/cuda/include" CGO_LDFLAGS="-L$(CUDA)"
STANDIN := CUDA_DRIVER_LIB="$(CUDA)/libcuda.so.1" CUBLAS_LIB="$(CUDA)/libcublas.so.12" STANDIN_FILL=0xFF REQUIRE_CUDA=1

.PHONY: run test build race cross lint clean system cli trainer cuda-test cuda-asan ptx gpu-check
run: build $(ENGINE) $(SAMPLE)
	@[ "$$(uname -m)" != x86_64 ] || [ -z "$$(command -v nvidia-smi)$$(ls /dev/dri/renderD* 2>/dev/null)" ] || $(CLI) models pull llama.cpp
	@$(CLI) models recommend --offer || echo "Going on with the sample model."
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname -s)" != Linux ]; then LONGHAND_HOME="$(DATA)" bin/longhand; \
	else echo "No display: drafting a sample document here."; \
	  $(CLI) draft --prompt "A travel essay about a night train through the Alps" --words $(WORDS); fi

test: cli $(ENGINE) $(SAMPLE)
	go vet -tags ci ./...
	LONGHAND_LIBRARY="$(ENGINE)" LONGHAND_SAMPLE_MODEL="$(SAMPLE)" LONGHAND_HOME="$(CURDIR)/.longhand" REQUIRE_NATIVE=1 go test -p 1 -tags ci ./... # one at a time: the engine uses every core

build: cli trainer
	$(BUILD) -tags migrated_fynedo -o bin/longhand ./app

ifeq ($(SYSTEM),Linux)
trainer: system # with CUDA in it, which is looked for when the program runs
	sh rl/cuda/loader/build.sh "$(CUDA)"
	$(WITH_CUDA) $(BUILD) -tags cuda -o bin/longhand-trainer ./rl/trainer
else
trainer: system
	$(BUILD) -o bin/longhand-trainer ./rl/trainer
endif

cuda-test: trainer
	@.ci/setup cxx
	sh rl/cuda/standin/build.sh "$(CUDA)"
	$(WITH_CUDA) go vet -tags cuda ./rl/...
	$(STANDIN) LONGHAND_TRAINER="$(CURDIR)/bin/longhand-trainer" $(WITH_CUDA) go test -tags cuda ./rl/cuda
	$(STANDIN) $(WITH_CUDA) go test -tags cuda -run Card ./rl/trainer
	g++ -std=c++17 -O2 -DGPU_EMULATE -pthread rl/cuda/kernels/attention_test.cc -o "$(CUDA)/attention_test" && "$(CUDA)/attention_test"

cuda-asan: # the same kernels and steps with every access checked
	@.ci/setup cxx
	sh rl/cuda/loader/build.sh "$(CUDA)"
	sh rl/cuda/standin/build.sh "$(CUDA)/asan" -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
	$(WITH_CUDA) go test -tags cuda -c -o "$(CUDA)/cuda.test" ./rl/cuda
	cd rl/cuda && CUDA_DRIVER_LIB="$(CUDA)/asan/libcuda.so.1" CUBLAS_LIB="$(CUDA)/asan/libcublas.so.12" REQUIRE_CUDA=1 STANDIN_THREADS=1 ASAN_OPTIONS=detect_leaks=0 \
	  LD_PRELOAD="$$(g++ -print-file-name=libasan.so)" "$(CUDA)/cuda.test" -test.run 'TestDevice|TestStep|TestDequantisation|TestOddResults'

ptx:
	@.ci/setup clang
	@mkdir -p "$(CUDA)"
	rl/cuda/kernels/ptx.sh "$(CUDA)/sm80.ptx"
	cmp "$(CUDA)/sm80.ptx" rl/cuda/kernels/sm80.ptx || { echo "the committed PTX is not what the kernels give: rl/cuda/kernels/ptx.sh rl/cuda/kernels/sm80.ptx"; exit 1; }

gpu-check: cli trainer $(ENGINE)
	rl/cuda/check/pack.sh "$(ENGINE)" "$(SAMPLE)"

cli: system
	CGO_ENABLED=0 $(BUILD) -tags ci,migrated_fynedo -o bin/longhand-cli ./app

system:
	@.ci/setup build

$(ENGINE): | cli
	$(CLI) models pull llama.cpp-cpu || { .ci/setup npm && $(CLI) models pull llama.cpp-cpu; }

$(SAMPLE): | cli
	$(CLI) models pull sample || { .ci/setup pip && $(CLI) models pull sample; }

race: system
	LONGHAND_HOME="$(CURDIR)/.longhand" go test -race -tags ci ./... # without engine and model: what needs them skips

cross:
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 go vet -tags ci ./...
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go vet -tags ci ./...

lint:
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

clean:
	rm -rf bin .longhand
