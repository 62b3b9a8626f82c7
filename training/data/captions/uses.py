"""What things are and are for, by the noun: true of every thing that is called so."""

from __future__ import annotations

from training.data.captions.lexicon import of

_TABLE = """
a seat for one person: chair armchair stool throne recliner
a seat for several people: bench sofa couch pew
a flat top to put things on: table desk counter workbench countertop nightstand
a place to sleep: bed hammock mattress cot
used to store things inside: cabinet cupboard drawer closet wardrobe chest crate box locker dresser
used to hold things on open boards: shelf bookcase bookshelf rack
used to hold liquids: bottle jug flask canteen
used to hold loose things: barrel bucket basket sack bag jar bin
used to serve or hold food: bowl plate dish tray
used for drinking: cup mug glass goblet chalice tankard
used for cooking: pot pan cauldron stove oven skillet wok
used to eat or cook with: spoon fork spatula ladle whisk chopstick
used for cutting: knife scissors saw hacksaw cleaver
a weapon with a blade: sword dagger katana sabre saber claymore gladius halberd
a weapon that fires shots: pistol rifle shotgun revolver uzi blaster gun cannon sniper
a weapon that shoots arrows: bow crossbow
used for protection in a fight: shield helmet breastplate
used to chop wood: axe hatchet
used to drive in nails: hammer
used to dig: shovel spade
used to give light: lamp lantern torch candle chandelier lightbulb candelabrum brazier
a vehicle that drives on roads: car truck bus taxi van sedan hatchback suv ambulance motorcycle
a vehicle that travels on rails: train locomotive tram
a vehicle that floats on water: boat ship canoe raft sailboat rowboat lifeboat
a vehicle that flies: airplane helicopter plane spaceship ufo
a plant with a trunk and branches: tree oak pine birch willow
a low plant with many leaves: bush shrub hedge
a plant of dry places: cactus
something that grows on the forest floor: mushroom fern
a part of a plant that blooms: flower rose tulip
something to eat: apple banana bread burger cake carrot cheese donut pizza sandwich steak sushi taco tomato
a sweet thing to eat: cupcake cookie lollipop popsicle sundae
a building to live in: house cabin hut cottage mansion
a tall building: tower skyscraper watchtower lighthouse
a building for animals and crops: barn stable silo
used to grind grain by wind: windmill
used to enclose a piece of ground: fence hedge barrier railing
a way through a wall: door gate doorway archway
lets light into a room: window
carries people to another level: stairs staircase ladder
covers the top of a building: roof
crosses over water or a gap: bridge
carries the weight of what stands above: column pillar post
closes off a space: wall
shows a direction or a message: sign billboard signpost
marks a grave: gravestone headstone tombstone
used to open locks: key
used to read: book spellbook scroll
used as money: coin
used to sit by and keep warm: fireplace campfire bonfire
holds plants: planter
used to watch programs: television
used to work and play on: computer laptop
used to keep food cold: fridge refrigerator freezer
used to wash: sink bathtub shower washbasin
used to carry water from place to place: pipe
used to lie on the floor: rug carpet doormat
worn on the head: hat cap crown helmet
an animal with four legs: horse cow pig dog cat sheep deer wolf fox bear zebra llama donkey
an animal that lives in water: fish shark whale dolphin tuna clownfish
an animal that flies: bird eagle seagull butterfly bee
a space traveler in a suit: astronaut
a fighter in armor: knight
"""
_BY_NOUN = {
    noun: use.strip()
    for use, nouns in (line.split(":") for line in _TABLE.strip().splitlines())
    for noun in nouns.split()
}
_GROUND = of("""
    road tile path platform river ground minigolf_course track street block dock pavement driveway
    sidewalk plate crossroad rail bridge
""")
_OF_KITS = {
    "building_part": "it is meant to be joined with other parts of a building.",
    "road_tile": "it is a piece of ground that can be joined with others.",
}


def use_of(noun: str, category: str | None) -> str:
    """A sentence of what the thing is, or "" where the noun is not known."""
    *front, last = noun.lower().split() or [""]
    known = _BY_NOUN.get(last)
    if last in ("building", "house"):
        category = None
    if known is None or {
        "toy",
        "broken",
        "water",
        "icon",
        "fish",
        "corn",
        "ash",
        "hot",
        "gun",
        "pistol",
        "rifle",
    } & set(front):
        ground = _GROUND & set(noun.replace("minigolf course", "minigolf_course").split())
        return (
            _OF_KITS.get(category or "", "") if category != "road_tile" or ground or last == "floor" else ""
        )
    if known.startswith("an animal") and category not in (None, "animal"):
        return ""
    if known.startswith(("a ", "an ", "used", "worn", "something")):
        return f"it is {known}."
    return f"it {known}."
