#!/usr/bin/env python3
"""Writes the prompts of the learning runs: train.jsonl and held-out.jsonl. No topic is in both.
Half of the prompts ask for 30 to 50 words, half for 60 to 90; every topic is asked for in one of them."""
import json, random

TOPICS = """a lighthouse in winter|baking bread at home|a walk in the forest|the first day of school|how a bicycle works|a market in the morning
an old library|learning to swim|a cat who likes rain|planting tomatoes|a night train|the smell of coffee|a letter to a friend|repairing a chair
a village festival|the sound of the sea|why leaves turn red|a small bakery|a lost umbrella|the moon over a lake|packing for a journey|a quiet Sunday
a storm at sea|how to make soup|an afternoon in a museum|the oldest tree in town|a neighbour who sings|cleaning a kitchen|a trip to the mountains
how bees make honey|a game of chess|the last bus home|painting a wall|a river in spring|a grandmother's recipe|learning the piano|a dog at the beach
choosing a good book|a broken clock|the view from a tower|feeding birds in winter|a rainy day in the city|growing herbs on a balcony|a visit to the dentist
how to tie a knot|a campfire story|the corner shop|moving to a new house|a football match|the northern lights|a wooden boat|how glass is made
a morning run|an empty theatre|the taste of apples|a phone call at night|the history of paper|a garden in autumn|a birthday surprise|how to sharpen a knife
walking in the snow|a busy railway station|the colours of a sunset|a teacher you remember|mending clothes|an island in summer|a school play
how rainbows form|a flea market find|making tea|a long flight|the house on the hill|a day without a phone|an underground lake|how to read a map
the first snow|a street musician|keeping goldfish|a picnic in the park|the baker's cat|the desert at night|how cheese is made|a swim in a cold lake
the sound of bells|a summer job|learning a new language|the attic of an old house|a slow boat ride|the life of a postman|how to plan a day
a bridge over a canyon|picking mushrooms|a visit to a farm|the invention of the wheel|a hot-air balloon|the smell of old books|how to fold a paper plane
a chess player in the park|the town clock|an unexpected guest|sailing at dawn|the art of listening|a jar of marbles|how wells are dug|a family dinner
the spider in the window|a hidden path|riding a horse|the night watchman|how to bake a pie|a concert in the rain|a fisherman's morning|the colours of autumn
washing a car|a secret garden|the oldest shop in town|how birds find their way|a day at the zoo|the winter coat|a kite on the beach|learning to draw
the mountain hut|how to grow potatoes|a crowded elevator|an honest mistake|the ferry to the island|a snowed-in cabin|how candles are made|the talking parrot
a view of the harbour|saving water at home|a walk through an orchard|the missing key|how to pack a suitcase|a tailor at work|the last page of a book
the pond behind the school|a new pair of shoes|how maps were made|the quiet neighbour|a basket of cherries|the train driver|how to write a postcard
the market square at noon|a lamp in the window|the carpenter's bench|how windmills work|a child and a telescope|the road by the sea|a pot of geraniums""".replace("\n", "|").split("|")

ASKS = [
    "Write {a} to {b} words about {t}.",
    "In {a} to {b} words, write about {t}.",
    "Write a short text about {t}. It should have {a} to {b} words.",
    "Please write about {t} in {a} to {b} words.",
]

def main():
    rng = random.Random(20261122)
    topics = sorted(set(TOPICS))
    rng.shuffle(topics)
    lines = []
    for i, t in enumerate(topics):
        a, b = ((30, 50), (60, 90))[i % 2]
        lines.append(dict(prompt=ASKS[(i // 2) % len(ASKS)].format(a=a, b=b, t=t), min_words=a, max_words=b))
    held, train = lines[:64], lines[64:]
    train = train[:len(train) // 2 * 2]
    for name, some in (("held-out.jsonl", held), ("train.jsonl", train)):
        with open(name, "w", encoding="utf8") as f:
            for l in some:
                f.write(json.dumps(l, ensure_ascii=False) + "\n")

if __name__ == "__main__":
    main()
