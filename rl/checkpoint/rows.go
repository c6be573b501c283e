package checkpoint

import (
	"fmt"
	"strings"
)

// In llama files the rows of attn_q and attn_k are not in the order of the model that was
// converted: within each head of h rows, row 2j+i (i 0 or 1) was row i*h/2+j there, since llama.cpp
// rotates neighbours where transformers rotates halves. Other architectures keep the order.

// fileRows maps rows as transformers has them to rows of the base file: result[n] is where its row n
// lies. It is nil where the order is the same.
func fileRows(base *File, name string) ([]int, error) {
	key := ""
	switch {
	case base.Architecture() != "llama":
		return nil, nil
	case strings.HasSuffix(name, ".attn_q.weight"):
		key = "llama.attention.head_count"
	case strings.HasSuffix(name, ".attn_k.weight"):
		key = "llama.attention.head_count_kv"
	default:
		return nil, nil
	}
	heads, ok := base.Uint(key)
	if !ok && key == "llama.attention.head_count_kv" {
		heads, ok = base.Uint("llama.attention.head_count") // as many as of queries
	}
	rows := base.Tensor(name).Rows
	if !ok || heads == 0 || heads > uint64(rows) || rows%int(2*heads) != 0 {
		return nil, fmt.Errorf("the base's %s does not divide the %d rows of %.100q", key, rows, name)
	}
	size := rows / int(heads)
	order := make([]int, rows)
	for n := range order {
		head, i, j := n/size, n%size/(size/2), n%(size/2)
		order[n] = head*size + 2*j + i
	}
	return order, nil
}
