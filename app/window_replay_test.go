package main

import (
	"strings"

	"longhand/app/draft"
)

// replay is what a draft of about the given length looks like from the window:
// thinking, a plan, and text in tokens, with a loop that is taken back.
func replay(words int) []draft.Event {
	events := []draft.Event{draft.Started{ID: "20261122-101500-a1b2", Model: "sample", Target: words, Context: 4096, Device: "CPU"}}
	for _, t := range tokens(replayThinking) {
		events = append(events, draft.Think{Text: t})
	}
	plan := replayPlan(words)
	events = append(events, plan)
	n := 0
	for i, s := range plan.Sections {
		events = append(events, draft.SectionBegun{Index: i, Title: s.Title, Target: s.Words})
		text, flags := "", []string{}
		for draft.CountWords(text) < s.Words-30 {
			p := replayText[n%len(replayText)]
			n++
			if text != "" {
				text += "\n\n"
				events = append(events, draft.Text{Index: i, Text: "\n\n"})
			}
			if n%7 == 3 { // said again, and taken back
				for _, t := range tokens(p) {
					events = append(events, draft.Text{Index: i, Text: t})
				}
				events = append(events, draft.Rewind{Index: i, Chars: len([]rune(text))})
			}
			for _, t := range tokens(p) {
				events = append(events, draft.Text{Index: i, Text: t})
			}
			text += p
		}
		if i == 2 {
			flags = []string{"long"}
		}
		events = append(events, draft.SectionDone{Index: i, Words: draft.CountWords(text), Target: s.Words, Flags: flags})
	}
	return append(events, draft.Finished{Words: words, Target: words, Sections: len(plan.Sections), Flagged: 1})
}

func replayPlan(words int) draft.Outline {
	o := draft.Outline{Title: "The Letter from Tomorrow"}
	titles := [][2]string{
		{"The lamp is lit as on every evening", "Marit tends the light on Skarvøy; the storm season begins; what her days are made of."},
		{"Something in the kelp", "The bottle comes in with the tide. The letter bears her name and tomorrow's date."},
		{"What the letter says, and what it leaves out", "She reads it three times. It knows things that nobody could know yet."},
		{"A call to the mainland", "The harbour master laughs, then stops laughing."},
		{"The night in between", "The storm the letter foretold arrives two hours early."},
		{"Whose hand it was", "Morning. She sits down to write, and understands."},
	}
	for i, t := range titles {
		o.Sections = append(o.Sections, draft.SectionPlan{Index: i, Title: t[0], Point: t[1], Words: words / len(titles)})
	}
	return o
}

// tokens cuts text about as a model writes it.
func tokens(text string) []string {
	var out []string
	for text != "" {
		n := 1 + strings.IndexByte(text[1:], ' ')
		if n == 0 {
			n = len(text)
		}
		if n > 9 {
			n = 6
			for text[n]&0xC0 == 0x80 {
				n++
			}
		}
		out, text = append(out, text[:n]), text[n:]
	}
	return out
}

const replayThinking = `The request is for a quiet story, so the strange thing should arrive without noise. A keeper, a bottle, a letter that is dated tomorrow. The reader will want to know who wrote it; the best answer is the one that is nearest.

Who is she? Not a hermit. Someone who chose the work because it is exact: the lamp, the log, the weather four times a day. Let her be called Marit. She trusts what is written down, and that is what the letter uses.

How should it sound? Plain sentences, the sea always in the room, no explaining. The storm can carry the tension, so that the letter need not shout.

- The letter must know something small and private, not the future of the world.
- The call to the mainland gives a second voice and some humour.
- The end: she writes the letter herself. It should feel like a decision, not like a trick.

Six sections will do. The middle ones carry the weight; the last is short and calm. Length for each about the same, with the night a little longer if it needs it.`

var replayText = []string{
	`The lamp on Skarvøy was lit at twenty past four, as it was on every evening of that month, and Marit wrote the time into the log before she took off her gloves. The ink was cold and came slowly. Below her the sea went about its business against the rocks, neither kind nor unkind, and the first gulls of the evening settled on the rail as if they had been given the place by contract.`,
	`She liked the work because it was exact. Four times a day the weather, once a day the lens, every second hour the rain gauge when there was rain. People on the mainland asked whether she was lonely, and she always said that she would tell them when she had the time. There was a kettle, there was a radio, there was a shelf of books in which other people were lonely for her.`,
	`It was the colour that made her look down. Kelp is brown, and rock is grey, and what the tide leaves between the two is mostly the colour of nothing at all; but there, in the crook of the landing stage where the old chain ran into the water, lay something green. It did not move as the weed moved. It **knocked**, very lightly, like a visitor who does not want to wake the house.`,
	`The cork had been sealed with wax, and in the wax somebody had pressed a thumb. She turned it to the light. *To Marit Aas*, said the paper behind the glass, in an upright hand that she thought she ought to know, *keeper, Skarvøy*; and below that, a little smaller, as one writes a thing that has to be there but is of no importance, the date.`,
	`She looked at the calendar by the door, although she had torn off the leaf herself that morning. Then she looked at the letter again. There are mistakes that one makes at the turn of a year, and mistakes that one makes when one is old, but nobody sits down, finds a bottle, melts wax, and is wrong about the day in that particular direction.`,
	`“You will have made tea,” the letter began, “and let it go cold, because you wanted both hands for this.” The cup stood by her elbow. She touched it, and it was cold. Outside, the wind had gone round to the north-west without telling anyone, and the barometer, which she had read an hour ago with perfect satisfaction, had begun to go down its little stair.`,
	`“A letter,” said the harbour master. “From tomorrow.” On the line she could hear his chair, and behind the chair the radio, and behind the radio the whole warm town of Vik at supper. “And what does it want?” “It doesn't want anything,” said Marit. “It says that the *Havørn* should not go out tonight.” The chair stopped. It was a while before he spoke, and when he did, he had put the laugh away.`,
	`By nine the rain came sideways. It found the place under the gallery door that she had been meaning to see to since August, and it found the loose slate, and it went through the beam of the lamp like handfuls of thrown sand. She went up every half hour. There was nothing to do up there; the lamp turned; but it seemed to her that somebody ought to be with it.`,
	`A little after two she sat on the stairs with the log on her knees and wrote down what she saw, because that was what the log was for. *Wind north-west, storm. Sea very high. One vessel in sight, making for Vik.* Then, since there was room in the line, and since no inspector had ever read as far as this page, she added: *She turned back in time.*`,
	`In the morning there was so little left of it that she might have made it up. A broken rail, a gull with an air of grievance, a line of foam on the grass far above where foam had any right to be. On the kitchen table lay the paper, the wax, the stub of the green candle that she had bought in spring for no reason; and a bottle, which she had washed, because she washed bottles.`,
}
