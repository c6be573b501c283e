package engine

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var splitName = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// checkModel reads the header of a model and of its further parts.
func checkModel(path string) (*ggufHeader, error) {
	h, err := readGGUF(path)
	if err != nil {
		return nil, err
	}
	if h.values["general.architecture"].text == "" {
		return nil, errors.New("it names no architecture")
	}
	if kind := h.values["general.type"].text; kind != "" && kind != "model" {
		return nil, fmt.Errorf("it holds no model: its general.type is %.40q", kind)
	}
	if err := h.checkShape(); err != nil {
		return nil, err
	}
	parts := h.values["split.count"]
	if len(parts.numbers) != 1 || parts.numbers[0] <= 1 {
		return h, nil
	}
	return h, h.addParts(path, int(parts.numbers[0]))
}

// addParts checks the other files of a split model and takes over their
// tensors. llama.cpp finds them by the first one's name.
func (h *ggufHeader) addParts(path string, count int) error {
	name := splitName.FindStringSubmatch(filepath.Base(path))
	if name == nil {
		return fmt.Errorf("it is part of a model in %d files, but is not named NAME-00001-of-%05d.gguf", count, count)
	}
	if n, _ := strconv.Atoi(name[2]); n != 1 {
		return fmt.Errorf("it is part %d of %d; open the first part", n, count)
	}
	if n, _ := strconv.Atoi(name[3]); n != count {
		return fmt.Errorf("its name says %d parts and its header %d", n, count)
	}
	for i := 2; i <= count; i++ {
		part := fmt.Sprintf("%s-%05d-of-%05d.gguf", name[1], i, count)
		next, err := readGGUF(filepath.Join(filepath.Dir(path), part))
		if err != nil {
			return fmt.Errorf("its part %s: %w", part, err)
		}
		h.tensors = append(h.tensors, next.tensors...)
		h.bytes += next.bytes
	}
	return nil
}

// maxLayers is llama.cpp's LLAMA_MAX_LAYERS.
const maxLayers = 512

// checkShape refuses numbers on which llama.cpp would end the process.
func (h *ggufHeader) checkShape() error {
	if n := h.number("block_count"); !(n >= 1 && n <= maxLayers) {
		return fmt.Errorf("it claims %g layers", n)
	}
	prefix := h.values["general.architecture"].text + "."
	for key, e := range h.values {
		name, ok := strings.CutPrefix(key, prefix)
		if !ok || e.kind == ggufString || e.array || len(e.numbers) != 1 {
			continue
		}
		x := e.numbers[0]
		if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 && strings.HasSuffix(name, "epsilon") {
			return fmt.Errorf("its %.60s is %g", name, x)
		}
		if x == 0 && (name == "embedding_length" || name == "attention.head_count") {
			return fmt.Errorf("its %s is 0", name)
		}
	}
	return nil
}

func (h *ggufHeader) has(tensor string) bool {
	for _, t := range h.tensors {
		if t.name == tensor {
			return true
		}
	}
	return false
}

// number is a number under the architecture's prefix; 0 where there is none.
func (h *ggufHeader) number(key string) float64 { return h.numberAt(key, 0) }

// numberAt is the same for one layer, where the file has a number for each.
func (h *ggufHeader) numberAt(key string, layer int) float64 {
	e := h.values[h.values["general.architecture"].text+"."+key]
	if len(e.numbers) == 0 {
		return 0
	}
	if !e.array {
		return e.numbers[0]
	}
	return e.numbers[min(layer, len(e.numbers)-1)]
}
