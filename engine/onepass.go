package engine

import "strings"

// OnePass is the transcript of a question to a model that thinks and then writes the
// whole in one pass: <think> and <answer>, as LongWriter-Zero was trained. That model and
// base models get the raw form they continue, others a chat turn. The model's turn begins with answer.
func (i Info) OnePass(question, answer string) []Piece {
	name := strings.ToLower(i.Name + " " + i.Path)
	if i.Chat.Source == "none" || strings.Contains(name, "longwriter-zero") {
		return []Piece{{i.Chat.Start, true}, {onePassFrame + "<|user|>: " + question + " <|assistant|>:", false}, {answer, false}}
	}
	pieces, folded := i.Chat.Begin(onePassSystem)
	if folded {
		question = onePassSystem + "\n\n" + question
	}
	return append(pieces, i.Chat.Ask(question, false, answer)...)
}

const onePassSystem = "Think first, in <think> </think>; then write the whole work, and nothing else, in <answer> </answer>."

// onePassFrame says in words of our own what stands before the turns of the raw form.
const onePassFrame = "A conversation between a user and an assistant. The user asks for a piece of writing or another task. The assistant first thinks deeply, plans the work, weighs several ways to do it, and checks coherence, clarity, style, tone, audience and purpose; then it writes the final work. " +
	"The thinking stands in <think> </think>, the work in <answer> </answer>: <think> planning, outline, style, audience, review </think> <answer> the final work after refinement </answer>. "
