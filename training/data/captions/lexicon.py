"""The words by which an asset's name is read: what describes, what is named, what is noise of file names."""

from __future__ import annotations

import re


def of(text: str) -> frozenset[str]:
    """The words of a list."""
    return frozenset(text.split())


def pairs(text: str) -> dict[str, str]:
    """ "a=b c_d=e f": underscores stand for spaces."""
    entries = (entry.split("=") for entry in text.split())
    return {left.replace("_", " "): right.replace("_", " ") for left, right in entries}


# How names are written, and how people write: applied to whole words before all else.
SPELLING = pairs("""
    grey=gray colum=column leafs=leaves leave=leaves no=without demonalt=demon dragonevolved=dragon
    yetialt=yeti golelingevolved=golem darkh=dark musterd=mustard sabel=saber salloon=saloon thea=tea
    wood=wood icecream=ice_cream jackolantern=jack-o'-lantern tsplit=t-split sci-fi=sci-fi
    extractorhood=extractor_hood towelrail=towel_rail solarpanels=solar_panels cargodepot=cargo_depot
    lightpost=light_post lightposts=light_posts simpletower=tower brickwall=brick_wall endcap=end_cap
    weaponrack=weapon_rack outercorner=corner archedwindow=arched_window waterplant=water_plant
    vegetableburger=vegetable_burger smokebomb=smoke_bomb lollypop=lollipop cylindric=cylindrical
    leve=level tyre=tire hex=hexagonal hexagon=hexagonal rectangle=rectangular cubed=cube circle=round
    triangle=triangular waterless=dry gated=gated 2handed=two-handed 1handed=one-handed
    roadtile=road_tile sidetable=side_table tablelamp=table_lamp bookshelf=bookshelf matchbox=matchbox
    picnictable=picnic_table treasurechest=treasure_chest streetlight=street_light hotdog=hot_dog
    palmtree=palm_tree pinetree=pine_tree trashcan=trash_can spaceship=spaceship farmcrate=farm_crate
    rowboat=rowboat snowed=snow-covered snowy=snow-covered mossy=mossy walltorch=wall_torch colour=color
    armour=armor popcorn=popcorn dices=dice colored=colored firetruck=fire_truck lowpoly=low_poly
    garagedoor=garage_door burnt=burnt multi=multiple aid=aid waterlily=water_lily lilypad=lily_pad
""")
# Whole phrases, as regular expressions over lower-case words; the first that fits each place.
PHRASES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        # numbered stages and levels of kits
        (r"\b(?:first|second|third) age(?: \d+)?(?: level(?: \d+)?)?", ""),
        (r"\blevel(?: \d+)?\b|\blod ?\d*\b", ""),
        (r"\bcrop plant stage \d+", "crop plant"),
        (r"\bstage \d+", ""),
        (r"^(\w+(?: \w+)?) crop plant harvested", r"harvested \1"),
        (r"\bcrops? dirt (?:single|row|double row|double)(?: end| corner)?", "crop row"),
        # labels of kits before what the thing is
        (r"^food (?:ingredient )?(?!prep\b)(?=\w)|^ingredient (?=\w)", ""),
        (r"^(?:utensil|resource|props?|details?|primitive|weapon) (?=\w)", ""),
        (r"^pickup health$", "health pickup"),
        (r"^candy cane mint$", "mint candy cane"),
        (r"\bwalls to open\b", "walls"),
        (r"^pickup (?!tank|truck|health)(?=\w)", ""),
        (r"^(gun|weapon) (stock|scope|sight|grip|barrel) part", r"gun \2"),
        (r"(?<!machine )\bgun (body|barrel|grip|stock|magazine|scope|sight) part", r"\1"),
        (r"\b(body|barrel|grip|stock|magazine) part\b", r"\1"),
        (r"^modular (?!building piece)", ""),
        (r"^plant (?=bush|tree|flower|cactus|grass)", ""),
        (
            r"^building (?=(?:tower|well|market|mill|church|home|windmill|blacksmith|tavern|barracks|castle|"
            r"archery|lumber|water mill|mine|keep)\b)",
            "",
        ),
        (r"^meat (?=sausage|ribs|patty)", ""),
        (r"^tower defense tile\b", "tile"),
        (r"^(snow|metal|ridge) tile\b(.*)$", r"tile\2 \1"),
        (r"^snow detail\b", "snow"),
        (r"^detail light\b", "light"),
        (r"^ground (path|river)(?= \w+)", r"\1"),
        (r"^grass trees", "trees"),
        (r"^tree park\b", "tree"),
        (r"^(archery|barracks|market|stable|storage|port|temple|lumber mill)$", r"\1 building"),
        (r"^minigolf (?!.*\b(?:ball|flag|club)\b)", "minigolf course "),
        (r"\btown center\b", "town hall"),
        # proper names
        (r"\b(spaceship|spacecraft|rover|mech|astronaut) \w+ the (?:red )?\w+", r"\1"),
        (r"\b\w+ the (?:bee|frog|flamingo|red panda)\b", ""),
        (r"\bmech robot \w+", "mech robot"),
        (r"^spaceship \w+$", "spaceship"),
        # what people call it
        (r"\bd (\d+) (rounded )?dice\b", r"\2\1-sided die"),
        (r"^tower windmill", "windmill tower"),
        (r"^race future", "futuristic race car"),
        (r"\bfoundation (?:front|all)\b.*", "foundation"),
        (r"^building blacksmith\b|^blacksmith\b", "blacksmith shop"),
        (r"\bt rex\b", "t-rex"),
        (r"\bt shirt\b", "t-shirt"),
        (r"\bak 47\b", "ak-47"),
        (r"\bsci fi\b", "sci-fi"),
        (r"\blow poly\b", ""),
        (r"\b\d+ x \d+(?: x \d+)?\b", ""),
        (r"\benemy ufo\b", "ufo"),
        (r"\benemy 2 legs\b", "two-legged robot enemy"),
        (r"\benemy (small|extra small|large|flying)\b", r"\1 enemy"),
        (r"\bhalf? full\b", "half-full"),
        (r"\bsawed off\b", "sawed-off"),
        (r"\bbuilt in\b", "built-in"),
        (r"\btake away\b", "takeaway"),
        (r"\bbed bunk\b", "bunk bed"),
        (r"\bbed floor\b", "floor bed"),
        (r"\bnight stand\b", "nightstand"),
        (r"\btable (?:cross )?cloth\b", "table tablecloth"),
        (r"\bbook case\b", "bookcase"),
        (r"\btrash bin\b", "trash can"),
        (r"\btree (?:floating|single|default|plateau|blocks|light|blob|lava|detailed)\b", "tree"),
        (r"\b(tree|thin|pine|oak|cone|fat|tall|small|birch) fall\b", r"\1 autumn"),
        (r"\btree thin\b", "thin tree"),
        (r"\btree cone\b", "cone-shaped tree"),
        (r"\bcommon tree\b", "tree"),
        (r"\bwithout base\b", ""),
        (r"\bterrain mining\b", "mining terrain"),
        (r"\blounge design sofa corner\b", "corner designer sofa"),
        (r"\blounge design (sofa|chair)\b", r"designer lounge \1"),
        (r"\blounge sofa ottoman\b", "ottoman"),
        (r"\btower (square|round) mid(?:dle)?(?: color)?\b", r"\1 tower section"),
        (r"\b(column|road|bridge) mid\b", r"\1 section"),
        (r"\btower round roof\b", "round tower roof"),
        (r"\btower round bottom\b", "round tower base"),
        (r"\bstreet bridge water ramp\b", "ramp of a street bridge over water"),
        (r"\bstreet bridge water\b", "street bridge over water"),
        (r"\bsmall plane\b", "small airplane"),
        (r"\bslant\b", "slanted"),
        (r"\bwithout leaves\b", "leafless"),
        (r"^street light single\b", "street light"),
        (r"^light (ceiling|floor|desk|table|wall|street|traffic)\b", r"\1 light"),
        (r"^light chandelier\b", "chandelier"),
        (r"^light (curved|square)\b", r"\1 street light"),
        (r"^light (?:colored|red|green|multiple)\b", "traffic light"),
        (r"^ship (?:light|dark)$", "ship"),
        (r"^(?:car|vehicle) (?=taxi|hatchback|sedan|suv|truck|ambulance|firetruck)", ""),
        (r"\bwheel front(?: left| right)?\b", "front wheel"),
        (r"\bwheel back(?: left| right)?\b", "back wheel"),
        (r"^(.*) (?:larger|bigger)$", r"large \1"),
        (r"\bbanner pattern\b", "patterned banner"),
        (r"\bflag checkers\b", "checkered flag"),
        (r"\bburger cheese\b", "cheeseburger"),
        (r"\bpotion \d* ?(?=empty|filled|full|half-full)", "potion bottle "),
        (r"\bhammer double\b", "double-headed hammer"),
        (r"\baxe double\b", "double-bladed axe"),
        (r"\b(?:fence|wall) 90\b", "fence corner"),
        (r"\bkitchen 1 drawers?\b", "kitchen cabinet with one drawer"),
        (r"\bkitchen 2 drawers\b", "kitchen cabinet with two drawers"),
        (r"\bkitchen 3 drawers\b", "kitchen cabinet with three drawers"),
        (r"\bmale hairstyle\b", "men's hairstyle"),
        (r"\bfemen's hairstyle\b|\bfemale hairstyle\b", "women's hairstyle"),
        (r"^male (.*) clothing$", r"men's \1"),
        (r"^female (.*) clothing$", r"women's \1"),
    )
)
# Said as one word where they stand together.
COMPOUNDS = re.compile(
    r"\b("
    r"ice cream|light posts?|dish rack|soda glass|blacksmith shop|street light|traffic light|"
    r"ceiling light|wall light|desk light|floor light|picture frame|coffee table|side table|"
    r"cast iron|water mill|lumber mill|archery range|air conditioner|first aid kit|hot dog|"
    r"corn dog|golf club|golf ball|pepper mill|knife block|frying pan|cutting board|light bulb|"
    r"light switch|fire hydrant|gas canister|bear trap|spike trap|rocket launcher|machine gun|"
    r"wine glass|cocktail glass|washing machine|coat rack|trash can|wind turbine|street lamp|"
    r"toilet paper|paper towel|whipped cream|candy cane|crop row|minigolf course|town hall|"
    r"front wheel|back wheel|pick axe|staddle stone|bird bath|garage door|end cap|potion bottle|"
    r"apple core|straw hat|orange juice|royal gramma|tower roof"
    r")\b"
)
# Noise of files, tools and kits; never said. Single letters and numbers fall away too.
NOISE = of("""
    sm sk mesh meshes obj fbx glb gltf stl ply usd blend model models export exported final copy new
    transformed baked geo geometry geom lod lod0 lod1 lod2 poly lowpoly highpoly game gameready asset
    assets untitled default unnamed object objects node root scene null empty.001 import converted temp
    tmp test version rev v1 v2 v3 type variant variation var alt alternative sample mat material texture
    tex common exclusive bottompivot output primitive animated detail details ui the_base prototype
    dummy module modular armature skeletal static mobile_ready free pack kit_piece kit props prop
    textured untextured rigged lp hp wip my connect order relax all detailed separate off color mm meshy
    ai tripo sketchfab convert download rodin generated hunyuan luma mixamo polycam turbosquid cgtrader
""") - of("empty new kit game pack test dummy")
# A thing of no name.
NAMELESS = of("""
    cube cylinder sphere plane circle cone torus icosphere uvsphere curve shape mesh object group node
    part piece item thing component solid body base default
""")

SIZE = of("""
    small large big tiny huge giant massive mini little long short tall high low wide narrow thin thick
    medium larger bigger fat slim deep oversized medium-sized extra
""")
QUALITY = of("""
    fancy simple plain basic elegant ornate decorative rustic messy neat cute evil angry grumpy scary
    strong heavy beautiful crooked individual sporty casual formal hooded armored armoured grand royal
    magical enchanted cursed spooky cartoon stylized sports patterned
""")
STATE = of("""
    broken cracked damaged destroyed ruined open opened closed empty full filled half-full locked dirty
    clean burnt burned melted frozen lit unlit folded rolled torn sliced chopped cooked uncooked raw
    crushed stacked hanging floating flying sitting standing walking running waving covered framed
    painted potted mounted walled fenced gated labeled labelled canned grilled whole dead dry cut fallen
    twisted bent harvested snow-covered mossy rusty dusty wet sunken hollow cheering sleeping moving
    rotating wrapped unwrapped packed crashed capped cocked autumn winter half overgrown melting peeled
    roasted throwing folding rolling rocking hidden battered racing leafless built-in worn decorated
""")
SHAPE = of("""
    round rounded square rectangular hexagonal octagonal triangular circular oval elliptical conical
    cylindrical spherical spiral curved curvy sloped slanted slant tilted straight diagonal flat pointy
    pointed spiky sharp smooth rough jagged bulky chunky tapered double single triple quad twin split
    arched domed cube-shaped cone-shaped concave convex corrugated fluted carved moulded bevelled tiered
    two-handed one-handed double-headed double-bladed forked crescent inverted stepped striped checkered
    spotted multiple inner outer upper lower interlocking two-legged sawed-off overhead vertical
    horizontal one-story two-story three-story
""")
AGE = of("old new ancient modern vintage retro antique futuristic medieval classic future contemporary")
ORIGIN = of("""
    roman greek chinese american japanese egyptian mayan viking celtic gothic victorian industrial military
    suburban rural urban scandinavian english flemish tuscan tribal pirate western sci-fi fantasy
    steampunk cyberpunk african european german indian moroccan nordic russian
""")
COLORS = of("""
    red orange yellow green blue purple pink white black gray brown teal turquoise cyan beige tan gold
    golden silver magenta violet maroon navy crimson scarlet lime dark
""")
# Said of what is made of them, and what they become before a noun.
MATERIAL = pairs("""
    wood=wooden wooden=wooden metal=metal stone=stone brick=brick bricks=brick iron=iron glass=glass
    steel=steel bronze=bronze concrete=concrete plastic=plastic cardboard=cardboard leather=leather
    ceramic=ceramic clay=clay marble=marble cloth=cloth paper=paper bamboo=bamboo copper=copper
    wicker=wicker rope=rope cast_iron=cast_iron styrofoam=styrofoam rock=stone timber=wooden
    asphalt=asphalt rubber=rubber dirt=dirt sand=sand silicone=silicone foam=foam thatch=thatched straw=straw
""")
TRAILING = {
    "stripes": "striped",
    "snow": "snow-covered",
    "moss": "mossy",
    "gold": "golden",
    "hexagon": "hexagonal",
}
PLACES = of("left right front back top bottom middle mid center side end corner edge inside outside")

# Kinds that file names put behind what they are kinds of ("tree pine"), and people before it.
KINDS = {
    "tree": of(
        "pine oak palm birch willow fir spruce maple cherry apple lemon cactus shrub christmas bamboo"
    ),
    "lamp": of("table floor desk wall ceiling street"),
    "light": of("ceiling street wall"),
    "table": of("coffee side kitchen dining picnic office work night"),
    "cup": of("tea coffee"),
    "chair": of("desk lounge office dining garden folding rocking camping"),
    "cabinet": of("kitchen bathroom bed television office filing bedside"),
    "bottle": of("wine ketchup mustard oil beer water soda milk sauce potion perfume"),
    "can": of("soda beer spray paint watering"),
    "fence": of("picket garden"),
    "roof": of("gable hip point"),
    "tile": of("""
        grass dirt sand water snow road path river straight spawn end crossing bend split start
        corner hill mountain slope bump transition fall bridge intersection side coast forest island
        lumber ridge
    """),
    "cactus": of("saguaro"),
    "candle": of("wax"),
    "rocket": of("toy"),
    "wall": of("castle"),
    "car": of("race police sports racing"),
    "tractor": of("police"),
    "truck": of("cargo garbage delivery fire police"),
    "train": of("cargo passenger"),
    "cookie": of("chocolate"),
    "donut": of("chocolate"),
    "cupcake": of("cherry chocolate"),
    "cake": of("birthday chocolate wedding"),
    "popsicle": of("chocolate"),
    "farm": of("wheat corn"),
    "cube": of("grass"),
    "block": of("grass"),
    "platform": of("grass beach"),
    "mountain": of("grass"),
    "stool": of("bar"),
    "floor": of("kitchen"),
    "statue": of("horse lion head"),
    "glass": of("wine cocktail soda"),
    "shield": of("knight barbarian"),
    "sofa": of("corner"),
    "bag": of("paper trash"),
    "sushi": of("salmon egg tuna shrimp"),
    "maki": of("salmon roe vegetable egg tuna"),
    "wheel": of("racing ship"),
    "axe": of("battle"),
    "computer": of("desktop"),
}
# Rooms and places that come before what stands in them: "bathroom sink".
ROOMS = of("kitchen bathroom cabin castle garden street office")
# What stands first and has a part named behind it: "wall window" is a wall with a window.
BEARERS = of("""
    wall roof building house tower door gate castle floor tile platform cactus plant bush wagon rock
    block hill counter table bridge road fence cabinet shelf bookcase barrier shed barn church boat ship
    plate bed desk path sofa stairs windmill cliff turret balcony rocks tree donut armchair campfire
    rack skewer shrine plaque hills
""")
BORNE = of("""
    window windows door doors doorway chimney sink backsplash columns balcony awning rocks flowers
    flower berries flag vent vents pipes antenna sail ladder tablecloth railing banner shutters books
    candles drawer drawers gate pillows towers scaffold windmill turbine crystal bush tree trees lights
    stripes barrier barriers plates bricks garage arch river waterfall mushrooms cloth roof wheels legs
    vines cushions sprinkles logs stones planks light_posts vegetables
""")
# Things that hold others, and what is named behind them is in them.
HOLDERS = of(
    "crate basket bowl jar plate pot sack barrel bucket tray box cup mug bag cauldron chest glass pan"
)
CONTENTS = pairs("""
    carrots=carrots carrot=carrots apples=apples apple=apples potatoes=potatoes tomatoes=tomatoes
    tomato=tomatoes buns=buns cheese=cheese lettuce=lettuce onions=onions stew=stew soup=soup
    broth=broth cereal=cereal fruit=fruit ingots=ingots gold=gold coins=coins mushrooms=mushrooms
    steak=steak ham=ham rice=rice noodles=noodles fish=fish bread=bread water=water dinner=food
    flour=flour grain=grain vegetables=vegetables onion=onions dough=dough patty=patties pickles=pickles
    eggs=eggs
""")
# A quantity named behind what there is much of: "coin stack" is a stack of coins.
QUANTITIES = pairs("""
    group=group stack=stack pile=pile bundle=bundle bunch=bunch stacked=stack heap=heap
""")
FOOD_PARTS = of("slice half core stick bar top bottom")

# No "a" before these.
MASS = of("""
    grass bread cheese bacon rice wheat corn smoke ivy lava water terrain armor clothing luggage toast
    soap foam meat ham celery broccoli cauliflower stew moss sushi rubble debris lettuce garlic ginger
    popcorn scaffolding furniture shelving guttering asphalt edging honey ketchup mustard parchment
    firewood lumber wood sand snow dirt soil mud ice bamboo paneling skirting coping paving hay seaweed
    salad butter chocolate camo sky clothes ammo whipped-cream frikandel soy coral railing wine food
    cream toilet-paper paper fabric dough cargo pottery
""")
# One thing whose name looks plural.
SINGULAR = re.compile(
    r"(?:ss|us|is|ous|ics|as)$|^(?:gallows|lens|series|species|chess|barracks|headquarters|tennis|gas|"
    r"compass|cross|moss|kings|crossroads|sus|triceratops|swiss|news|lotus)$"
)
PAIRED = of(
    "glasses scissors binoculars pliers shorts trousers pants tweezers headphones tongs jeans goggles "
    "shoes boots gloves legs wings sunglasses earphones shears curtains shutters bellows"
)
SETS = {
    "stairs": "flight",
    "steps": "flight",
    "drawers": "set",
    "tracks": "set",
    "bars": "set",
    "shelves": "set",
    "bones": "pile",
    "crops": "patch",
    "weeds": "patch",
    "berries": "bunch",
    "grapes": "bunch",
    "numbers": "set",
    "fries": "portion",
    "pancakes": "stack",
    "numerals": "set",
    "books": "set",
    "planks": "set",
    "pipes": "set",
    "clothes": "set",
    "ribs": "rack",
    "coins": "pile",
    "stones": "pile",
    "rocks": "group",
    "leaves": "bunch",
    "bricks": "pile",
    "cards": "deck",
    "walls": "set",
    "doors": "pair",
    "spikes": "set",
    "candles": "group",
    "cables": "bundle",
    "props": "set",
    "knuckles": "set",
    "teeth": "set",
    "bullets": "set",
    "arrows": "bundle",
}
IRREGULAR = {
    "leaf": "leaves",
    "shelf": "shelves",
    "knife": "knives",
    "loaf": "loaves",
    "half": "halves",
    "man": "men",
    "woman": "women",
    "foot": "feet",
    "tooth": "teeth",
    "mouse": "mice",
    "die": "dice",
    "person": "people",
    "child": "children",
    "sheep": "sheep",
    "deer": "deer",
    "fish": "fish",
    "wolf": "wolves",
    "hoof": "hooves",
    "cactus": "cacti",
    "elf": "elves",
    "goose": "geese",
}
PLURALS = frozenset(IRREGULAR.values()) - {"sheep", "deer", "fish"}
# Written in capitals, and read letter by letter where marked.
CAPITALS = {
    "tv": "TV",
    "suv": "SUV",
    "ufo": "UFO",
    "usb": "USB",
    "cd": "CD",
    "crt": "CRT",
    "hgv": "HGV",
    "swat": "SWAT",
    "uzi": "Uzi",
    "atm": "ATM",
    "led": "LED",
    "wifi": "WiFi",
    "rpg": "RPG",
    "pc": "PC",
    "japanese": "Japanese",
    "chinese": "Chinese",
    "roman": "Roman",
    "greek": "Greek",
    "viking": "Viking",
    "egyptian": "Egyptian",
    "mayan": "Mayan",
    "celtic": "Celtic",
    "english": "English",
    "flemish": "Flemish",
    "tuscan": "Tuscan",
    "christmas": "Christmas",
    "halloween": "Halloween",
    "colorado": "Colorado",
    "victorian": "Victorian",
    "swiss": "Swiss",
    "shiba": "Shiba",
    "inu": "Inu",
    "gothic": "Gothic",
    "bunsen": "Bunsen",
    "allen": "Allen",
    "german": "German",
    "indian": "Indian",
    "african": "African",
    "russian": "Russian",
    "t-split": "T-split",
    "t-rex": "T-rex",
    "t-shirt": "T-shirt",
    "ak-47": "AK-47",
}
VOWEL_SOUND = re.compile(
    r"^(?:hour|heir|honest|[aeioAEIO]|u(?!ni(?!n|m)|se|ti|fo|sb|kulele|rine|ranium)|Uzi|SUV|HGV|LED|RPG|8-|11-|18-)"
)
VOWEL_EXCEPTIONS = re.compile(r"^(?:one|once|eu|UFO|USB|Uni|ewe)")

CATEGORY_NOUNS = {
    "building_part": "building part",
    "road_tile": "ground tile",
    "plant": "plant",
    "prop": "object",
    "building": "building",
    "food": "food item",
    "furniture": "piece of furniture",
    "rock_terrain": "rock formation",
    "weapon": "weapon",
    "container": "container",
    "sign_light": "sign",
    "vehicle": "vehicle",
    "character": "character",
    "tool": "tool",
    "animal": "animal",
    "pickup": "collectible item",
    "appliance_electronics": "device",
    "armour_clothing": "piece of clothing",
}
# Parts that a caption may name and count where a file names them.
PARTS = of("""
    wheel wheels door doors window windows leg legs handle handles seat lid roof blade blades sail
    drawer drawers pillow cushion wing wings turret barrel engine propeller rotor arm arms head tail ear
    ears eye eyes horn horns lamp lampshade chimney button buttons knob screen mirror shelf pedal branch
    branches leaf leaves trunk petal petals flower flowers flag rope bucket headlight headlights bumper
    tire tires cannon mast oar antenna fin fins saddle strap hook bell candle railing steering ladder
    backrest armrest armrests headrest mattress blanket faucet tap keyboard monitor speaker fence gate
    arch column columns stairs balcony backpack hat helmet sword shield cape beard nose mouth beak
""")
