"""The words by which prompts are judged: what is style, what is a scene, what is more than one thing.

Prompts of text-to-image galleries (DiffusionDB, Wang et al. 2022) are a subject and a tail of modifiers.
"""

from __future__ import annotations

import re


def of(text: str) -> frozenset[str]:
    """The words of a list."""
    return frozenset(text.split())


# A clause made of these alone says how a picture looks, not what it shows.
STYLE = of("""
    centered subject 2d 3d 4k 8k 16k 32k hd uhd hdr fhd 1080p 720p 4k8k 35mm 50mm 85mm 100mm f1.4 f1.8
    f2.8 dslr raw dof abstract accurate aesthetic aesthetics airbrush album amazing ambient anime art
    artgerm artist artistic artstation artstationhd artwork atmosphere atmospheric awarded award-winning
    awardwinning award background backlit backlight balanced baroque beautiful beautifully behance best
    blender blur blurred blurry bokeh book bright brilliant c4d camera canon captivating cartoon
    cel-shaded celshaded cg cgi cgsociety character chiaroscuro cinema cinema4d cinematic cinematographic
    classic clean clear close closeup close-up color colored colorful colors colour coloured colourful
    colours comic comics commission complementary complex composition concept conceptart contest contrast
    cool cover crisp cryengine cute dark definition depth deep desaturated design designed detail detailed
    details deviantart digital disney dispersion display drawing drawn dramatic dreamlike dreamy dynamic
    eerie effect effects elaborate elegant engine enhanced epic ethereal exposure extreme extremely
    fantastic fantasy faded featured field film filmic fine flat focal focus foggy footage full fullbody
    full-body game geometric glow glowing golden good gorgeous gothic grain grainy graphic graphics great
    gritty hard-surface haze hazy hi-res high highly highres high-res high-quality high-resolution
    highquality horror hour hyper hyper-detailed hyperdetailed hyperrealism hyperrealistic hyper-realistic
    hyperreal illumination illustrated illustration illustrations illustrative imagination imax
    impressionism impressionist ink inspired insane insanely intense intricate intricately isometric key
    keyshot lens lifelike light lighting lightning lights line lineart lines lit logo long lovely low
    lowpoly low-poly lumen luminous macro magazine magical masterpiece masterful matte maximalist maya
    medium megascans meme midjourney minimal minimalism minimalist minimalistic modeling modern moody mood
    movie movies mystical natural nikon noir no nostalgic nvidia occlusion octane octanerender official
    oil opulent original ornate out outline outstanding painted painterly painting paintings palette
    panoramic paper pastel pencil perfect perspective photo photograph photographic photography photoreal
    photorealism photorealistic photo-realistic pic picture pixar pixel pixiv plain polaroid pop popular
    portfolio poster post-processing postprocessing precise pretty print product production professional
    profile proportions psychedelic quality quixel raytraced raytracing ray-tracing realism realistic
    realistically reddit reflections reflection render rendered renderer rendering renders resolution
    retro rim rule saturated scene scenic scifi sci-fi screenshot screen sculpt sculpting semi-realistic
    sepia shaded shading shadow shadows shallow sharp sharpness shiny shot shutter simple simplistic
    sketch sketched smooth soft softly solid splash splashart stable diffusion steady sticker still stock
    storybook striking studio stunning style styled stylised stylish stylistic stylized sublime subsurface
    subtle super sublimely surreal surrealism surrealist symmetric symmetrical symmetry synthwave tattoo
    technicolor texture textured textures thirds tone toned tones trending tracing ultra ultradetailed
    ultra-detailed ultra-realistic ultrarealistic unity unreal unrealengine upscaled vaporwave vector vfx
    vibe vibrant vibes video view vignette visual vivid volumetric vray v-ray wallpaper wallpapers warm
    watercolor watercolour wet-on-wet whimsical wide wide-angle winning wonderful workshop zbrush weta ilm
    wlop 5 uplight masterwork unparalleled ue4 ue5 marmoset toolbag hasselblad kodak fujifilm leica sony
    lumix iso fstop aperture long-exposure tilt-shift top-down eye-level hq bestseller finely exquisite
    breathtaking magnificent majestic spectacular awesome incredible fascinating impressive excellent
    super-detailed superdetailed hyper-maximalist global pbr path-tracing pathtracing fisheye gopro
    cinematography
""")
# Between the words of a style clause.
GLUE = of("a an and the of on in at by with for from to as or very more most its is it & + - into like not")
# Style where it stands as an adjective in the subject too.
EMPTY_ADJECTIVES = of("""
    amazing awesome beautiful beautifully best breathtaking brilliant cinematic cool detailed dramatic
    elegant epic ethereal exquisite extremely fantastic gorgeous great high-quality highly hyper
    hyperdetailed hyper-detailed hyperrealistic hyper-realistic incredible incredibly insanely intricate
    intricately lifelike lovely magnificent majestic masterful moody perfect photorealistic
    photo-realistic pretty professional realistic sharp spectacular striking stunning stylish super superb
    surreal trendy ultra ultra-detailed ultradetailed ultrarealistic ultra-realistic very vibrant vivid
    whimsical wonderful 4k 8k hd uhd hdr 3d 2d aesthetic award-winning finely impressive isometric
""")
# Ways in which prompts say that they are a picture of something, with "of" after them.
MEDIA = of("""
    art artwork blueprint cartoon close-up closeup clipart concept design diagram drawing engraving
    graphic icon illustration image logo macro matte model painting photo photograph photography pic
    picture portrait poster print render rendering renders scan screenshot sculpt shot sketch snapshot
    sprite still sticker study vector view visualization visualisation wallpaper watercolor watercolour
    wireframe
""")
# Words that may stand before those: "a highly detailed digital oil painting of".
BEFORE_MEDIA = STYLE | of("a an the my one single this very realistic small large black white and full color")
# Pictures that mean something flat.
FLAT = of("logo diagram blueprint map poster banner emblem flag infographic chart stamp")
# "Portrait of" cuts the body off.
CROPPED = of("portrait headshot bust-shot selfie close-up closeup mugshot")

ARTISTS = re.compile(
    r"\b(?:(?:artwork|art|painted|painting|drawn|illustration|illustrated|made|created|designed|design|style|"
    r"rendered|photographed|photography|photo|render|sculpted|concept art|cinematography|directed) )?by "
    r"(?!(?:hand|side|the sea|a |an |its |his |her )).*$"
)
MANNERS = re.compile(
    r"\b(?:in (?:the |a |an )?(?:[\w'-]+ ){0,4}(?:style|manner|aesthetic|colors|colours|palette)\b"
    r"(?: of .*)?|"
    r"(?:trending|featured|popular|viral) (?:on|in|at) .*|in (?:blender|maya|zbrush|unreal|unity|octane|"
    r"4k|8k|3d|cinema4d|photoshop|photorealistic .*)\b.*|(?:rendered|made|modeled|modelled) "
    r"(?:in|with|using) "
    r"(?:blender|maya|zbrush|unreal|unity|octane|cinema4d|redshift|vray|v-ray|houdini|keyshot|3ds)\b.*|"
    r"(?:inspired by|influenced by|reminiscent of|as seen in|from the (?:movie|film|game|series|show)) .*|"
    r"on (?:artstation|deviantart|behance|pixiv|cgsociety|reddit|instagram|pinterest)\b.*|"
    r"(?<=\S )(?:highly|very|extremely|intricately|ultra|hyper|super|insanely|finely) ?-?detailed\b.*|"
    r"(?:oil|acrylics?|ink|watercolou?rs?|charcoal|pastels?|gouache|pencil|tempera|pen) (?:and \w+ )?on "
    r"\w+.*|"
    r"(?:against|on|over|with|in front of) (?:a |an |the )?(?:[\w'-]+ ){0,3}"
    r"(?:background|backdrop|studio)\b.*)$"
)

# A prompt whose subject is one of these is a place or an event, not a thing.
SCENES = of("""
    aftermath alley apocalypse archipelago arena atmosphere aurora avenue backstreet backyard ballroom
    basement bathroom battle battlefield bay beach bedroom boulevard cafe canyon carnival cave cavern
    cemetery ceremony chaos city cityscape classroom cliff clouds coast coastline colony concert corridor
    cosmos countryside courtroom courtyard crowd dawn desert diner dinner dimension dreamscape downtown
    dusk dystopia earth environment explosion farm favela feast festival field fields fireworks forest
    funeral future galaxy gallery garden glacier graveyard hallway harbor harbour heaven hell highway
    hillside interior island jungle kingdom kitchen lagoon lake landscape landscapes lobby market
    marketplace marsh meadow megacity meeting metropolis mountain mountains mountainside museum nebula
    neighborhood neighbourhood nightclub nightscape night ocean office orchard outdoors outskirts panorama
    paradise park party picnic planet plaza playground pond port prairie protest purgatory race rainforest
    reef restaurant revolution riot river road roadside room ruins savanna savannah scene scenery seascape
    seaside sea shore shoreline sky skyline skyscape slum snowfield space spring square stadium station
    storm street streets suburb summer sunrise sunset supermarket swamp tokyo town townscape trail tundra
    underground underwater underworld universe utopia vacation valley view vista village vineyard void war
    warehouse waterfall wasteland wedding wilderness winter woodland woods workshop world apartment aisle
    amphitheater ball
""")
# Scenery behind a thing: "on a beach", "in the rain"; the thing stays when it goes.
SETTINGS = SCENES | of("""
    day weather lighting haze smoke colors colours tones palette hues vibes air background backdrop bar
    dark darkness distance fog foreground front grass ground heavens horizon light mist moonlight mud
    nature rain sand scenery shadows silhouette snow spotlight stars studio sun sunlight sunshine twilight
    water wild wind woods middle center centre midair mid-air morning evening afternoon table desk floor
    pedestal plinth podium stand shelf countertop counter workbench surface wall tabletop windowsill
    driveway garage parking lot showroom runway hangar orbit moon mars california london paris york japan
    iceland america europe china england france italy africa egypt fireplace yard lawn hill rock rocks
    flames tree-stump
""")
# Who stands between two things.
RELATIONS = re.compile(
    r"\b(?:next to|beside|alongside|in front of|behind|surrounded by|standing (?:on|in|over|near|next)|"
    r"sitting (?:on|in|at|with|next)|riding|fighting|battling|attacking|chasing|hunting|kissing|hugging|"
    r"eating|drinking|drives?|driving|playing|talking|watching|looking (?:at|out|over|into)|facing|"
    r"meets|versus|vs|"
    r"walking (?:with|through|on|in|down|along|across)|flying (?:over|through|above|in)|"
    r"(?:floating|hovering) (?:over|above)|"
    r"emerging from|coming out of|crawling|running (?:through|from|on|in)|together with|accompanied by|"
    r"working (?:in|at|on)|reading|cooking|dancing (?:with|in|on)|among|amongst|amidst|overlooking|"
    r"being (?:eaten|attacked|chased|held)|destroying|invading|inside (?:of )?(?:a|an|the))\b"
)
# Settings that may follow these without another thing: "standing in the snow".
POSES = re.compile(
    r"\b(?:standing|sitting|walking|flying|floating|running|parked|lying|resting|placed|hovering|driving|"
    r"sleeping|waiting|located|swimming|perched|laying|posing|set|displayed|abandoned|lost|found|growing|hanging)$"
)
MANY = of("""
    two three four five six seven eight nine ten eleven twelve dozen dozens hundreds thousands many
    several various multiple both few numerous countless different assorted couple trio twins
""")
GROUPS = of("""
    array army assembly assortment audience band bunch cast class collage collection colony comparison
    congregation couple crew crowd family fleet flock gang gathering grid group herd horde hordes lineup
    mob moodboard orchestra pack pair pantheon parade pile platoon row school sequence series set sheet
    spritesheet squad swarm team tribe troop variety
""")
# They come in twos and are one thing.
PAIRS = of("""
    binoculars boots earrings earphones glasses gloves goggles handcuffs headphones jeans moccasins
    overalls pajamas pants pliers sandals scissors shoes shorts slippers sneakers socks spectacles stilts
    sunglasses tongs trousers tweezers
""")
# Plurals in form that are one thing.
SINGULAR_S = re.compile(
    r"(?:ss|us|is|ous|ics|as|os)$|^(?:glass|bus|lens|dress|compass|cactus|octopus|chess|canvas|harness|"
    r"series|species|gas|atlas|walrus|virus|genus|chassis|abacus|iris|mantis|bonsai|pegasus|triceratops|"
    r"cyclops|ares|zeus|hercules|hermes|biceps|headquarters|barracks|gallows|crossroads|bagpipes|news)$"
)
IRREGULAR_PLURALS = of(
    "people men women children mice geese teeth feet oxen sheepdogs wolves knives leaves shelves elves "
    "dwarves loaves thieves fungi cacti octopi soldiers kids folks humans"
)
# Nothing to see from all sides.
ABSTRACT = of("""
    solo body haze smoke lots absurdity anger anxiety beauty capitalism chaos communism consciousness
    creativity death democracy depression despair dream dreams emptiness enlightenment entropy eternity
    evil existence existentialism fear feeling freedom god greed grief happiness hate hatred hope
    imagination infinity insanity inspiration joy justice kindness knowledge life loneliness love luck
    madness meaning melancholy memory memories mind music mystery nature nightmare nirvana nostalgia
    nothing nothingness pain panic passion peace philosophy power pride reality rage religion sadness
    silence society solitude something sorrow soul spirit success thought thoughts time truth vengeance
    violence wisdom work yes no idea ideas concept fractal fractals pattern patterns texture wallpaper
    background text words typography letters quote diagram chart infographic flag font page screenshot
    interface website
""")
NAMES = of("""
    trump biden obama putin musk zuckerberg bezos hitler stalin lenin jesus christ beyonce rihanna kanye
    elon donald vladimir emma scarlett johansson watson dwayne johnson keanu reeves margot robbie zendaya
    shrek gandalf gollum yoda vader skywalker batman superman spiderman spider-man joker thanos hulk
    wolverine pikachu mario luigi sonic goku naruto luffy mickey minnie simpson homer bart walter
    heisenberg kardashian hanks cage nicolas depp dicaprio cruise pitt jolie swift taylor gaga eminem
    snoop dogg messi ronaldo gosling ryan hermione potter harry voldemort dumbledore frodo aragorn legolas
    geralt witcher lara croft kirby zelda ganon bowser groot deadpool ironman barbie godzilla-vs elsa
""")
UNSAFE = of("""
    nude nudes naked nsfw porn porno pornographic erotic sexy sexual sex hentai lewd lingerie bikini
    breasts breast cleavage busty boobs topless genitals penis vagina fetish bdsm gore gory bloody corpse
    beheaded decapitated dismembered mutilated suicide rape torture nazi swastika genocide seductive
    underwear thong stripper voluptuous
""")
# A clause that begins so is a sentence.
SENTENCES = of("""
    become becoming i you we they he she it is are was were what when where why how if then there imagine
    make create show draw paint give let me please can could would should do does did have has be not but
    so who
""")
SMALL_WORDS = of("a an the this that his her its their my your our one single")
PREPOSITIONS = of(
    "with of in on at under over near by from for made wearing covered that which who shaped containing "
    "filled featuring having inspired as into through across beneath below above behind inside outside "
    "around between during before after standing sitting floating lying against along onto upon and or "
    "holding carrying using like resembling built carved painted decorated adorned riding without but to "
    "is are "
    "looking walking flying running eating driving playing fighting parked wielding dressed"
)
COLORS = of("""
    amber aqua azure beige black blonde blue bronze brown burgundy charcoal chrome cobalt copper coral
    cream crimson cyan dark emerald fuchsia gold golden gray green grey indigo ivory jade lavender lilac
    lime magenta maroon mint mustard navy neon ochre olive orange peach pink purple red rose ruby rust
    sapphire scarlet silver tan teal terracotta turquoise ultramarine violet white yellow
""")
MATERIALS = of("""
    acrylic alabaster aluminum aluminium bamboo bone brass brick bronze canvas carbon cardboard ceramic
    chrome clay cloth concrete copper coral cork cotton crystal denim diamond enamel fabric feather
    feathers felt fiberglass fur furry glass glazed gold granite ice iron ivory jade knitted lacquered
    lace leather leathery linen mahogany marble mechanical metal metallic mosaic mossy oak origami paper
    pearl pewter plastic plush porcelain quartz rattan resin rope rubber rusted rusty sandstone satin
    silicone silk silver slate steel stone straw suede terracotta textile tin titanium upholstered velvet
    wax weathered wicker wood wooden wool woolen woven yarn
""")
# Named without an article.
MASS = of(
    "armor armour broccoli bread bacon cheese clothing coral equipment furniture jewelry luggage popcorn"
)
# They end in -ing and are things.
THINGS_ING = of("""
    awning bling building ceiling clothing covering curling darling drawing dressing duckling dumpling
    dwelling earring farthing filling frosting gosling hamstring herring icing king lacing lining mooring
    offering opening painting paving pudding railing ring sapling scaffolding seedling shoestring sibling
    sling spring sterling stocking string swing viking wing wiring
""")
