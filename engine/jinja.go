package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hybridgroup/yzma/pkg/message"
	"github.com/hybridgroup/yzma/pkg/template"
)

// renderLimit ends a template that does not end by itself.
const renderLimit = 5 * time.Second

// templateRenderer renders with the model's own template. The template comes
// out of a file from anywhere: it may fail, panic or loop.
func templateRenderer(text, bos, eos string) renderer {
	// The binding passes no special tokens; a template that asks for them
	// finds them set at its head.
	head := fmt.Sprintf("{%% set bos_token = %s %%}{%% set eos_token = %s %%}{{ '' }}", quoted(bos), quoted(eos))
	text = head + tidyTemplate(text)
	return func(turns []speech, open, think bool) (string, error) {
		messages := make([]message.Message, len(turns))
		for i, t := range turns {
			messages[i] = message.Chat{Role: t.role, Content: t.content}
		}
		type result struct {
			text string
			err  error
		}
		done := make(chan result, 1)
		go func() {
			var r result
			defer func() {
				if x := recover(); x != nil {
					r.err = fmt.Errorf("the template panicked: %v", x)
				}
				done <- r
			}()
			r.text, r.err = template.ApplyWithOptions(text, messages, open, template.Options{EnableThinking: think})
		}()
		select {
		case r := <-done:
			return r.text, r.err
		case <-time.After(renderLimit):
			return "", errors.New("the template does not end")
		}
	}
}

// quoted is a Jinja string.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`).Replace(s) + "'"
}
