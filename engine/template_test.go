package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Small templates in the manner of those the models come with.
const (
	chatML = `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful assistant.<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}`

	llama3 = `{{- bos_token }}
{#- It's here that the date is told. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{{- "Cutting Knowledge Date: December 2023\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
`
	mistral = `{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}`

	gemma = `{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {{ raise_exception('System role not supported') }}
{%- endif -%}
{% for message in messages %}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '
' + message['content'] | trim + '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model
' }}
{%- endif -%}`

	qwen3 = `{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- set ns = namespace(last=0) %}
{%- for message in messages %}
    {%- if message.role == 'user' %}{%- set ns.last = loop.index0 %}{%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '<|im_start|>user\n' + message.content + '<|im_end|>\n' }}
    {%- elif message.role == 'assistant' %}
        {%- if loop.index0 > ns.last %}
            {{- '<|im_start|>assistant\n<think>\n\n</think>\n\n' + message.content }}
        {%- else %}
            {{- '<|im_start|>assistant\n' + message.content }}
        {%- endif %}
        {{- '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}`
)

func TestTurnsAreLearntFromTemplates(t *testing.T) {
	im := func(role string) Turn { return Turn{"<|im_start|>" + role + "\n", "<|im_end|>\n"} }
	cases := []struct {
		name, template, bos string
		must                bool
		want                Chat
	}{
		{"chatml", chatML, "<s>", false, Chat{System: im("system"), User: im("user"), Assistant: im("assistant")}},
		{"chatml with a start token", chatML, "<s>", true, Chat{Start: "<s>", System: im("system"), User: im("user"), Assistant: im("assistant")}},
		{"llama 3", llama3, "<|begin_of_text|>", true, Chat{
			Start:     "<|begin_of_text|>",
			System:    Turn{"<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n\n", "<|eot_id|>"},
			User:      Turn{"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"},
			Assistant: Turn{"<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"},
		}},
		{"mistral", mistral, "<s>", true, Chat{Start: "<s>", User: Turn{"[INST] ", " [/INST]"}, Assistant: Turn{"", "</s>"}}},
		{"gemma", gemma, "<bos>", true, Chat{
			Start:     "<bos>",
			User:      Turn{"<start_of_turn>user\n", "<end_of_turn>\n"},
			Assistant: Turn{"<start_of_turn>model\n", "<end_of_turn>\n"},
		}},
		{"qwen 3", qwen3, "", false, Chat{System: im("system"), User: im("user"), Assistant: im("assistant"), NoThink: "<think>\n\n</think>\n\n", Thinks: true}},
		{"always thinking", strings.Replace(chatML, "<|im_start|>assistant\n", "<|im_start|>assistant\n<think>\n", 1), "", false, Chat{
			System: im("system"), User: im("user"), Assistant: Turn{"<|im_start|>assistant\n<think>\n", "<|im_end|>\n"}, NoThink: "\n</think>\n\n", Thinks: true}},
	}
	for _, c := range cases {
		got, err := learnChat(templateRenderer(c.template, c.bos, "</s>"), c.bos, c.must)
		if err != nil || got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v\n%v", c.name, got, c.want, err)
		}
	}
}

// A conversation put together from the learnt strings is what the template
// renders, where the template leaves the history as it was.
func TestLearntTurnsGiveTheTemplatesText(t *testing.T) {
	for name, template := range map[string]string{"chatml": chatML, "llama 3": llama3, "qwen 3": qwen3} {
		render := templateRenderer(template, "<s>", "</s>")
		c, err := learnChat(render, "<s>", false)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		pieces, folded := c.Begin("Be brief.")
		for _, question := range []string{"One?", "Two?"} {
			pieces = append(append(pieces, c.Ask(question, true, "Answer.")...), c.End())
		}
		for _, p := range append(pieces, c.Ask("Three?", true, "")...) {
			b.WriteString(p.Text)
		}
		want, err := render([]speech{{"system", "Be brief."}, {"user", "One?"}, {"assistant", "Answer."},
			{"user", "Two?"}, {"assistant", "Answer."}, {"user", "Three?"}}, true, true)
		if err != nil || folded || b.String() != want {
			t.Errorf("%s:\n got %q\nwant %q\n%v", name, b.String(), want, err)
		}
	}
}

func TestHostileTemplatesAreRefused(t *testing.T) {
	for _, template := range []string{
		"", "{{", "{% for x in %}", "{{ raise_exception('no') }}", "the same for all", "{{ messages[7].content.x.y }}",
		"{% for m in messages %}{{ m.content[:3] }}{% endfor %}", strings.Repeat("{%", 1000), "{# open", "{{ 'open }}",
	} {
		if c, err := learnChat(templateRenderer(template, "", ""), "", false); err == nil {
			t.Errorf("%.40q gave %+v", template, c)
		}
	}
}

func TestTemplatesAreTidiedAsJinjaWould(t *testing.T) {
	for in, want := range map[string]string{
		"a\n  {% if x %}\nb\n":       "a\n{% if x %}b",
		"a {% if x %} b":             "a {% if x %} b",
		"a\n  {%- if x -%}\n b":      "a\n{%- if x -%}\n b",
		"a\n  {%+ if x +%}\nb":       "a\n  {%+ if x +%}\nb",
		"a\n {# it's #}\n  b{{ x }}": "a\n  b{{ x }}",
		"a\n {#- it's -#}\n  b":      "a{{ '' }}b",
		"{% a %}\n  {% b %}\nc":      "{% a %}{% b %}c",
		"{{ '%}' }}\n{% '%}' %}\nx{": "{{ '%}' }}\n{% '%}' %}x{",
	} {
		if got := tidyTemplate(in); got != want {
			t.Errorf("%q became %q instead of %q", in, got, want)
		}
	}
}

func FuzzTidyTemplate(f *testing.F) {
	for _, seed := range []string{chatML, llama3, mistral, gemma, qwen3, "{{%#{%", "{#-#}", "{%%}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { tidyTemplate(text) })
}

// TestSampleTemplates reads a folder of templates, such as models/templates of
// llama.cpp's sources. The turns of all 70 of v0.5.0 are learnt.
func TestSampleTemplates(t *testing.T) {
	folder := os.Getenv("LONGHAND_TEMPLATES")
	if folder == "" {
		t.Skip("skipped: LONGHAND_TEMPLATES names no folder of chat templates")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.jinja"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates in %s: %v", folder, err)
	}
	learnt, system, thinks := 0, 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := learnChat(templateRenderer(string(text), "<BOS>", "<EOS>"), "<BOS>", false)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		learnt++
		if c.System != (Turn{}) {
			system++
		}
		if c.Thinks {
			thinks++
		}
		t.Logf("%s\n\t%+v", filepath.Base(file), c)
	}
	t.Logf("%d of %d templates, %d with a system turn, %d with a thinking mode", learnt, len(files), system, thinks)
}
