package engine

import (
	"github.com/hybridgroup/yzma/pkg/llama"
)

// chatOf learns a model's chat strings: from its template, else from one of
// llama.cpp's built-in templates that its text resembles, else the raw form.
func chatOf(template, bos, eos string, addBOS bool) Chat {
	first := ""
	if addBOS {
		first = bos
	}
	if template == "" {
		return plainChat(first)
	}
	if c, err := learnChat(templateRenderer(template, bos, eos), bos, addBOS); err == nil {
		c.Source = "template"
		return c
	}
	if c, err := learnChat(builtinRenderer(template), bos, addBOS); err == nil {
		c.Source = "built-in " + builtinName(template)
		return c
	}
	return plainChat(first)
}

// builtinRenderer renders with llama.cpp's own templates, which are chosen by
// name or by what stands in a template's text. They know no thinking mode.
func builtinRenderer(template string) renderer {
	return func(turns []speech, open, _ bool) (string, error) {
		chat := make([]llama.ChatMessage, len(turns))
		for i, t := range turns {
			chat[i] = llama.NewChatMessage(t.role, t.content)
		}
		buf := make([]byte, 4096)
		n := llama.ChatApplyTemplate(template, chat, open, buf)
		if n <= 0 || int(n) > len(buf) {
			return "", errTemplate
		}
		return string(buf[:n]), nil
	}
}

// builtinName is the name of the built-in template that llama.cpp takes for a
// template's text.
func builtinName(template string) string {
	turns := []speech{systemTurn, userTurn, assistantTurn, nextTurn}
	want, err := builtinRenderer(template)(turns, true, true)
	if err != nil {
		return ""
	}
	for _, name := range llama.ChatBuiltinTemplates() {
		if got, err := builtinRenderer(name)(turns, true, true); err == nil && got == want {
			return name
		}
	}
	return "unnamed"
}
